#include "store/store_url.hpp"

#include "store/key.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::string_view k_forms =
    "a store is a path, file:///path or s3://bucket/prefix[?endpoint=URL&region=R&style=auto|path|virtual]";

[[noreturn]] void refuse(std::string_view text, std::string_view cause, std::string hint = std::string{k_forms}) {
  throw Error(ErrorKind::usage, fmt::format("invalid store {}: {}", quote_given(without_secrets(text)), cause),
              std::move(hint));
}

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "scheme://" as RFC 3986 spells a scheme; a path may hold anything else, colons too.
std::string_view scheme_of(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || end == 0) return {};
  const std::string_view scheme = text.substr(0, end);
  const bool plausible = std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
           c == '.';
  });
  return plausible ? scheme : std::string_view{};
}

fs::path parse_file_url(std::string_view text) {
  std::string_view rest = text.substr(std::string_view{"file://"}.size());
  if (rest.starts_with("localhost/")) rest.remove_prefix(std::string_view{"localhost"}.size());
  if (!rest.starts_with('/')) refuse(text, "a file URL has three slashes and an absolute path");
  if (rest.find_first_of("?#") != std::string_view::npos) refuse(text, "a file URL has no options");
  const auto path = percent_decode(rest);
  if (!path || path->find('\0') != std::string::npos) refuse(text, "malformed percent escape");
  return *path;
}

void take_option(S3Url& url, std::string_view text, std::string_view option) {
  const std::size_t equals = option.find('=');
  const std::string_view name = option.substr(0, equals);
  const auto value = equals == std::string_view::npos ? std::string{} : percent_decode(option.substr(equals + 1));
  if (!value) refuse(text, "malformed percent escape");
  std::optional<std::string>* target = name == "endpoint" ? &url.endpoint
                                       : name == "region" ? &url.region
                                       : name == "style"  ? &url.style
                                                          : nullptr;
  if (target == nullptr) {
    // A text that is no name may be the rest of a password that has an ampersand in it.
    const bool plausible =
        std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
    refuse(text, plausible ? fmt::format("unknown option {}", quote(name)) : "unknown option");
  }
  if (target->has_value()) refuse(text, fmt::format("option {} is given twice", quote(name)));
  if (value->empty()) refuse(text, fmt::format("option {} has no value", quote(name)));
  *target = *value;
}

S3Url parse_s3_url(std::string_view text) {
  S3Url url;
  std::string_view rest = text.substr(std::string_view{"s3://"}.size());
  if (rest.find('#') != std::string_view::npos) refuse(text, "an S3 URL has no fragment");
  const std::size_t question = rest.find('?');
  std::string_view path = rest.substr(0, question);
  const std::size_t slash = path.find('/');
  url.bucket = path.substr(0, slash);
  // Old buckets have upper-case letters and underscores; colons and at signs would be a port or a password.
  const bool good = !url.bucket.empty() && std::all_of(url.bucket.begin(), url.bucket.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
  if (!good) refuse(text, "the bucket name is missing or has characters that no bucket has");
  path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  while (path.ends_with('/')) path.remove_suffix(1);
  // The same names as objects have: a prefix that some vendor's URL handling changes would be a different store.
  if (!path.empty() && !is_valid_key(path)) {
    refuse(text, "a prefix consists of A-Z a-z 0-9 . _ - and single slashes, without '.' or '..' as a part");
  }
  url.prefix = path;
  if (question != std::string_view::npos) {
    std::string_view options = rest.substr(question + 1);
    while (!options.empty()) {
      const std::size_t end = std::min(options.find('&'), options.size());
      take_option(url, text, options.substr(0, end));
      options.remove_prefix(std::min(end + 1, options.size()));
    }
  }
  return url;
}

}  // namespace

std::string without_secrets(std::string_view address) {
  constexpr std::string_view k_cut = "...";
  const std::size_t mark = address.find("://");
  const std::size_t begin = mark == std::string_view::npos ? 0 : mark + 3;
  std::string_view rest = address.substr(begin);
  std::string out{address.substr(0, begin)};
  std::string_view separators = "?";
  for (const std::string_view at : {"@", "%40"}) {
    const std::size_t found = rest.rfind(at);
    if (found == std::string_view::npos) continue;
    if (mark == std::string_view::npos && rest.substr(0, found).find(':') == std::string_view::npos) continue;
    rest.remove_prefix(found + at.size());
    // A question mark may have been cut with the rest.
    separators = "?&";
    out = fmt::format("{}{}@", address.substr(0, begin), k_cut);
  }
  if (mark == std::string_view::npos) return out.append(rest);
  const std::size_t fragment = std::min(rest.find('#'), rest.size());
  const std::string_view before = rest.substr(0, fragment);
  const std::size_t options = std::min(before.find_first_of(separators), before.size());
  out += before.substr(0, options);
  for (std::string_view more = before.substr(options); !more.empty();) {
    const std::size_t end = std::min(more.find('&', 1), more.size());
    const std::size_t equals = more.substr(0, end).find('=');
    out += more.substr(0, equals == std::string_view::npos ? 1 : equals + 1);
    out += k_cut;
    more.remove_prefix(end);
  }
  if (fragment != rest.size()) out.append("#").append(k_cut);
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

namespace {

// The text before the first colon of "NAME:REST", as other programs write where a store is ("s3:https://host/bucket",
// "b2:bucket:path", "user@host:path"). Empty for a path: what is absolute, or begins with a dot, is one.
std::string_view foreign_prefix(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || text.front() == '.') return {};
  return text.find('/') < colon ? std::string_view{} : text.substr(0, colon);
}

// Of "s3:https://host/bucket/prefix", "s3:host.name/bucket/prefix" and "s3:/bucket/prefix"; empty for what is not
// understood, or could hold a secret.
std::string s3_spelling(std::string_view rest) {
  if (rest.find_first_of("@?#%") != std::string_view::npos) return {};
  std::string endpoint;
  const std::size_t scheme = rest.find("://");
  const bool is_url = scheme != std::string_view::npos;
  const std::string_view host_on = is_url ? rest.substr(scheme + 3) : rest;
  const std::size_t slash = host_on.find('/');
  if (is_url || host_on.substr(0, slash).find_first_of(".:") != std::string_view::npos) {
    if (slash == std::string_view::npos) return {};
    endpoint = fmt::format("{}://{}", is_url ? rest.substr(0, scheme) : "https", host_on.substr(0, slash));
    rest = host_on.substr(slash);
  }
  while (rest.starts_with('/')) rest.remove_prefix(1);
  if (rest.empty()) return {};
  return fmt::format("s3://{}{}{}", rest, endpoint.empty() ? "" : "?endpoint=", endpoint);
}

[[noreturn]] void refuse_foreign(std::string_view text, std::string_view prefix) {
  const std::string cause = "that is how another program writes where something is";
  std::string hint{k_forms};
  if (prefix == "s3") {
    const std::string spelling = s3_spelling(text.substr(prefix.size() + 1));
    if (!spelling.empty()) hint = fmt::format("write {}", quote(spelling));
  } else if (prefix == "b2") {
    hint = "B2 speaks S3: s3://BUCKET/PREFIX?endpoint=https://s3.REGION.backblazeb2.com";
  } else if (prefix == "gs" || prefix == "gcs") {
    hint = "Google's storage speaks S3: s3://BUCKET/PREFIX?endpoint=https://storage.googleapis.com";
  } else {
    hint += "; a directory of that name begins with ./";
  }
  refuse(text, cause, std::move(hint));
}

}  // namespace

StoreUrl parse_store_url(std::string_view text) {
  if (text.empty()) refuse(text, "it is empty");
  const std::string_view scheme = scheme_of(text);
  if (scheme == "file") return parse_file_url(text);
  if (scheme == "s3") return parse_s3_url(text);
  if (!scheme.empty()) refuse(text, fmt::format("unknown scheme {}", quote_given(scheme)));
  if (text.find('\0') != std::string_view::npos) refuse(text, "a path has no zero byte");
  // "Offsite" would else be a directory on the same disk.
  if (const auto prefix = foreign_prefix(text); !prefix.empty()) refuse_foreign(text, prefix);
  return fs::path{text};
}

}  // namespace cairn
