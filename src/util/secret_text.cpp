#include "util/secret_text.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <system_error>

namespace cairn {

namespace {

constexpr std::string_view k_cut = "...";
// Shorter than any key: "AGE-SECRET-KEY-1..." in our own messages is none.
constexpr std::size_t k_shortest_key = 8;
constexpr std::size_t k_shortest_random = 40;
constexpr std::string_view k_pem_begin = "-----BEGIN ";
constexpr std::string_view k_pem_end = "-----END ";
constexpr std::string_view k_pem_dashes = "-----";

bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) noexcept {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) noexcept {
  return is_lower(c) || is_upper(c) || is_digit(c);
}
bool is_base64(char c) noexcept {
  return is_alnum(c) || c == '+' || c == '/' || c == '=';
}
char upper(char c) noexcept {
  return is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
}

template <class Is>
std::size_t length_of(std::string_view text, Is is) {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is) - text.begin());
}

bool starts_with_any_case(std::string_view text, std::string_view upper_case) {
  return text.size() >= upper_case.size() &&
         std::equal(upper_case.begin(), upper_case.end(), text.begin(), [](char a, char b) { return a == upper(b); });
}

// How much of the text, from its beginning, is a secret, and how much of that may be shown to tell what it was.
struct SecretSpan {
  std::size_t shown = 0;
  std::size_t length = 0;
};

// bech32 has letters of either case.
SecretSpan age_identity(std::string_view text) {
  for (const std::string_view prefix : {"AGE-SECRET-KEY-", "AGE-PLUGIN-"}) {
    if (!starts_with_any_case(text, prefix)) continue;
    const std::size_t key = length_of(text.substr(prefix.size()), [](char c) { return is_alnum(c) || c == '-'; });
    if (key >= k_shortest_key) return {prefix.size(), prefix.size() + key};
  }
  return {};
}

// To its end line, or where that is missing to the end: there is no telling where it stops.
SecretSpan pem_private_key(std::string_view text) {
  if (!text.starts_with(k_pem_begin)) return {};
  const std::size_t dashes = text.find(k_pem_dashes, k_pem_begin.size());
  if (dashes == std::string_view::npos) return {};
  const std::string_view label = text.substr(k_pem_begin.size(), dashes - k_pem_begin.size());
  if (!label.ends_with("PRIVATE KEY")) return {};
  const std::size_t shown = dashes + k_pem_dashes.size();
  if (text.size() - shown < k_shortest_key || text.substr(shown).starts_with(k_cut)) return {};
  const std::size_t end = text.find(k_pem_end, shown);
  if (end == std::string_view::npos) return {shown, text.size()};
  return {shown, end};
}

// By how they begin: PKCS#8 of an Ed25519 key (both versions) and of an RSA key, OpenSSH's, minisign's with and without
// a password.
SecretSpan base64_key(std::string_view text) {
  struct Kind {
    std::string_view prefix;
    std::size_t least;
  };
  static constexpr std::array<Kind, 6> k_kinds{{{"MC4CAQAwBQYDK2Vw", 30},
                                                {"MFECAQEwBQYDK2Vw", 30},
                                                {"MIIE", 200},
                                                {"b3BlbnNzaC1rZXktdjE", 60},
                                                {"RWRTY0Iy", 60},
                                                {"RWQAAEIy", 60}}};
  for (const auto& kind : k_kinds) {
    if (!text.starts_with(kind.prefix)) continue;
    const std::size_t length = length_of(text, is_base64);
    if (length >= kind.least) return {4, length};
  }
  return {};
}

// "://USER:PASSWORD@": a host has no '@'.
SecretSpan user_of_url(std::string_view text) {
  constexpr std::string_view k_mark = "://";
  if (!text.starts_with(k_mark)) return {};
  const std::string_view rest = text.substr(k_mark.size());
  const std::size_t end = std::min(rest.find_first_of("/?# \t\n'\""), rest.size());
  const std::size_t at = rest.substr(0, end).rfind('@');
  if (at == std::string_view::npos || rest.substr(0, at) == k_cut) return {};
  return {k_mark.size(), k_mark.size() + at};
}

// Where one of them may begin; that is asked at every character.
SecretSpan secret_at(std::string_view text) {
  switch (text.front()) {
    case 'A':
    case 'a':
      return age_identity(text);
    case '-':
      return pem_private_key(text);
    case ':':
      return user_of_url(text);
    case 'M':
    case 'R':
    case 'b':
      return base64_key(text);
    default:
      return {};
  }
}

// Capitals, small letters and digits that take turns as in random bytes; words and paths do so less often. One of 64
// random texts begins like an absolute path.
bool looks_random(std::string_view text) {
  const auto kind = [](char c) { return is_lower(c) ? 1 : is_upper(c) ? 2 : is_digit(c) ? 3 : 0; };
  std::array<std::size_t, 4> count{};
  std::size_t turns = 0;
  int last = 0;
  for (const char c : text) {
    const int now = kind(c);
    ++count.at(static_cast<std::size_t>(now));
    if (now == 0) continue;
    if (last != 0 && now != last) ++turns;
    last = now;
  }
  return count[1] != 0 && count[2] != 0 && count[3] != 0 && turns * 10 >= text.size() * (text.front() == '/' ? 4 : 3);
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view k_blanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(k_blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(k_blanks) - begin + 1);
}

bool is_web_token(std::string_view text) {
  return text.size() >= k_shortest_random && text.starts_with("eyJ") && std::count(text.begin(), text.end(), '.') == 2;
}

}  // namespace

std::string without_secret_keys(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const SecretSpan found = secret_at(text);
    if (found.length == 0) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    out.append(text.substr(0, found.shown)).append(k_cut);
    text.remove_prefix(found.length);
  }
  return out;
}

bool looks_like_secret(std::string_view value) {
  if (without_secret_keys(value) != value) return true;
  const std::string_view text = trim(value);
  if (text.find('\n') != std::string_view::npos || is_web_token(text)) return true;
  const bool base64 =
      std::all_of(text.begin(), text.end(), [](char c) { return is_base64(c) || c == '_' || c == '-'; });
  return base64 && text.size() >= k_shortest_random && looks_random(text);
}

std::string quote_given(std::string_view value) {
  return looks_like_secret(value) ? "(what looks like a secret, and is not shown)" : quote(value);
}

void refuse_secret(std::string_view value, std::string_view given_by, std::string_view expected) {
  if (!looks_like_secret(value)) return;
  std::error_code failure;
  if (std::filesystem::exists(std::filesystem::symlink_status(value, failure))) return;
  throw Error(ErrorKind::usage,
              fmt::format("{} looks like a secret (it is not shown), where {} is expected", given_by, expected),
              "write a secret to a file that only you can read, and give the path of that file");
}

}  // namespace cairn
