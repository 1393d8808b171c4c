#include "store/s3/sigv4.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace cairn::s3 {

namespace {

constexpr std::string_view k_algorithm = "AWS4-HMAC-SHA256";

bool is_unreserved(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

std::string lower_case(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

// Outer white space removed, inner runs of it one space.
std::string collapse(std::string_view value) {
  std::string out;
  bool gap = false;
  for (const char c : value) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      gap = !out.empty();
      continue;
    }
    if (gap) out += ' ';
    gap = false;
    out += c;
  }
  return out;
}

// Sorted by lower-case name; the values of a repeated one joined by commas in their order.
std::map<std::string, std::string> canonical_headers(const Pairs& headers) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : headers) {
    const auto [at, is_new] = out.try_emplace(lower_case(name), collapse(value));
    if (!is_new) at->second += "," + collapse(value);
  }
  return out;
}

}  // namespace

std::string uri_encode(std::string_view text, Slash slash) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || (c == '/' && slash == Slash::keep)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string canonical_query(const Pairs& query) {
  Pairs encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query) {
    encoded.emplace_back(uri_encode(name, Slash::encode), uri_encode(value, Slash::encode));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

std::string signed_headers(const Pairs& headers) {
  std::string out;
  for (const auto& [name, value] : canonical_headers(headers)) {
    if (!out.empty()) out += ';';
    out += name;
  }
  return out;
}

std::string canonical_request(const SignableRequest& request) {
  std::string out = request.method + "\n" + uri_encode(request.path, Slash::keep) + "\n";
  out += canonical_query(request.query) + "\n";
  for (const auto& [name, value] : canonical_headers(request.headers)) {
    out.append(name).append(":").append(value).append("\n");
  }
  out += "\n" + signed_headers(request.headers) + "\n" + request.payload_hash;
  return out;
}

std::string amz_date(Time time) {
  // "20150830T123600.000000000Z" without its fraction.
  return format_time_compact(time).substr(0, 15) + "Z";
}

std::string credential_scope(const SigningKey& key, std::string_view date) {
  return fmt::format("{}/{}/{}/aws4_request", date.substr(0, 8), key.region, key.service);
}

std::string string_to_sign(std::string_view canonical, std::string_view date, std::string_view scope) {
  return fmt::format("{}\n{}\n{}\n{}", k_algorithm, date, scope, sha256(canonical).hex());
}

std::string signature(const SigningKey& key, std::string_view date, std::string_view to_sign) {
  Digest derived = hmac_sha256(as_bytes("AWS4" + key.secret_key), as_bytes(date.substr(0, 8)));
  for (const std::string_view part :
       {std::string_view{key.region}, std::string_view{key.service}, std::string_view{"aws4_request"}}) {
    derived = hmac_sha256(derived.bytes, as_bytes(part));
  }
  return hmac_sha256(derived.bytes, as_bytes(to_sign)).hex();
}

std::string authorization(const SignableRequest& request, const SigningKey& key, Time time) {
  const std::string date = amz_date(time);
  const std::string scope = credential_scope(key, date);
  const std::string to_sign = string_to_sign(canonical_request(request), date, scope);
  return fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", k_algorithm, key.access_key, scope,
                     signed_headers(request.headers), signature(key, date, to_sign));
}

Pairs presigned_query(SignableRequest request, const SigningKey& key, Time time, unsigned expires_seconds) {
  const std::string date = amz_date(time);
  const std::string scope = credential_scope(key, date);
  request.query.emplace_back("X-Amz-Algorithm", k_algorithm);
  request.query.emplace_back("X-Amz-Credential", key.access_key + "/" + scope);
  request.query.emplace_back("X-Amz-Date", date);
  request.query.emplace_back("X-Amz-Expires", std::to_string(expires_seconds));
  if (!key.session_token.empty()) request.query.emplace_back("X-Amz-Security-Token", key.session_token);
  request.query.emplace_back("X-Amz-SignedHeaders", signed_headers(request.headers));
  const std::string to_sign = string_to_sign(canonical_request(request), date, scope);
  request.query.emplace_back("X-Amz-Signature", signature(key, date, to_sign));
  return std::move(request.query);
}

}  // namespace cairn::s3
