#include "engine/notify/secret_url.hpp"

#include "util/error.hpp"

#include <algorithm>

namespace cairn {

namespace {

[[noreturn]] void refuse(const std::string& cause) {
  throw Error(ErrorKind::usage, "invalid URL: " + cause, "it is as https://ping.example.net/ID");
}

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
         c == '_' || c == ':' || c == '[' || c == ']';
}

// A shorter one would be found in texts by chance.
constexpr std::size_t k_shortest_secret = 4;

void take_out(std::string& text, std::string_view secret) {
  if (secret.size() < k_shortest_secret) return;
  for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) {
    text.replace(at, secret.size(), "...");
    at += 3;
  }
}

}  // namespace

SecretUrl SecretUrl::parse(std::string_view text) {
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) refuse("it does not begin with http:// or https://");
  const std::string_view scheme = text.substr(0, scheme_end);
  if (scheme != "http" && scheme != "https") refuse("it does not begin with http:// or https://");
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    refuse("it has a character that is none of a URL, a blank or the end of a line");
  }
  if (text.find('#') != std::string_view::npos) refuse("it has a fragment, '#'");
  std::string_view authority = text.substr(scheme_end + 3);
  authority = authority.substr(0, authority.find_first_of("/?"));
  const auto user_end = authority.rfind('@');
  const std::string_view host = user_end == std::string_view::npos ? authority : authority.substr(user_end + 1);
  if (host.empty() || host.front() == ':' || !std::all_of(host.begin(), host.end(), is_host_character)) {
    refuse("it has no host");
  }
  return {std::string{text}, std::string{scheme} + "://" + std::string{host}};
}

std::string SecretUrl::below(std::string_view name) const {
  const auto options = std::min(m_text.find('?'), m_text.size());
  std::string out = m_text.substr(0, options);
  if (!out.ends_with('/')) out += '/';
  return out.append(name).append(m_text, options);
}

std::string SecretUrl::without(std::string text) const {
  take_out(text, m_text);
  const auto begin = m_text.find("://") + 3;
  const auto path = std::min(m_text.find_first_of("/?", begin), m_text.size());
  const std::string_view rest = std::string_view{m_text}.substr(path);
  take_out(text, rest);
  // A piece of the path says as much as the whole.
  for (std::size_t at = 0; at < rest.size();) {
    const auto end = std::min(rest.find_first_of("/?&=", at), rest.size());
    take_out(text, rest.substr(at, end - at));
    at = end + 1;
  }
  const auto user_end = m_text.substr(begin, path - begin).rfind('@');
  if (user_end == std::string::npos) return text;
  const std::string user = m_text.substr(begin, user_end);
  take_out(text, user);
  if (const auto colon = user.find(':'); colon != std::string::npos) take_out(text, user.substr(colon + 1));
  return text;
}

}  // namespace cairn
