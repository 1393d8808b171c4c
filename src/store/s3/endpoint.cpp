#include "store/s3/endpoint.hpp"

#include "util/error.hpp"
#include "util/secret_text.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace cairn::s3 {

namespace {

[[noreturn]] void refuse_endpoint(std::string_view text, std::string_view cause) {
  throw Error(ErrorKind::usage, fmt::format("invalid endpoint {}: {}", quote_given(without_secrets(text)), cause),
              "an endpoint looks like https://s3.example.net or http://127.0.0.1:9000");
}

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool is_bracketed_address(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
         host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

Style parse_style(std::string_view text) {
  if (text == "auto") return Style::automatic;
  if (text == "path") return Style::path;
  if (text == "virtual") return Style::virtual_host;
  throw Error(ErrorKind::usage, fmt::format("invalid style {}: not auto, path or virtual", quote_given(text)));
}

bool is_amazon(const Endpoint& endpoint) {
  return endpoint.authority.ends_with(".amazonaws.com") || endpoint.authority.ends_with(".amazonaws.com.cn");
}

// Whether it may be the first label of a host name: the rules for new buckets, without dots.
bool is_dns_label(std::string_view bucket) {
  return bucket.size() >= 3 && bucket.size() <= 63 && bucket.front() != '-' && bucket.back() != '-' &&
         std::all_of(bucket.begin(), bucket.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace

Endpoint parse_endpoint(std::string_view text) {
  Endpoint out;
  std::string_view rest = text;
  for (const std::string_view scheme : {"https", "http"}) {
    if (rest.starts_with(scheme) && rest.substr(scheme.size()).starts_with("://")) {
      out.scheme = scheme;
      rest.remove_prefix(scheme.size() + 3);
      break;
    }
  }
  if (out.scheme.empty()) refuse_endpoint(text, "it does not begin with http:// or https://");
  if (rest.find_first_of("?#") != std::string_view::npos) refuse_endpoint(text, "it has a query or a fragment");
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  std::string_view path = rest.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  // Credentials in it would end up in messages and logs.
  if (authority.find('@') != std::string_view::npos) {
    throw Error(ErrorKind::usage, "invalid endpoint: it has a user name or password in it");
  }
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view host = authority.substr(0, colon);
  if (host.empty() || (!std::all_of(host.begin(), host.end(), is_host_character) && !is_bracketed_address(host))) {
    refuse_endpoint(text, "it has no valid host");
  }
  out.authority = host;
  if (colon != std::string_view::npos) {
    const std::string_view digits = authority.substr(colon + 1);
    unsigned port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size() || port == 0 || port > 65535) {
      refuse_endpoint(text, "it has no valid port");
    }
    // The Host header that is signed has no default port: clients and proxies strip it.
    if (port != (out.scheme == "https" ? 443U : 80U)) out.authority += fmt::format(":{}", port);
  }
  const auto decoded = percent_decode(path);
  if (!decoded) refuse_endpoint(text, "it has a malformed percent escape");
  out.base_path = *decoded;
  return out;
}

Location locate(const S3Url& url, const StoreAddress& address, const AwsEnvironment& aws) {
  const auto first = [](const std::optional<std::string>& a, const std::optional<std::string>& b,
                        const std::optional<std::string>& c) {
    return a ? a : b ? b : c;
  };
  Location out;
  out.bucket = url.bucket;
  out.prefix = url.prefix;
  if (const auto endpoint = first(url.endpoint, address.endpoint, aws.endpoint())) {
    out.endpoint = parse_endpoint(*endpoint);
  }
  // A guess is corrected by the first answer (see Client); AWS takes any request of an unknown region here.
  out.region = first(url.region, address.region, aws.region()).value_or("us-east-1");
  const bool good_region = !out.region.empty() && std::all_of(out.region.begin(), out.region.end(), is_host_character);
  if (!good_region) throw Error(ErrorKind::usage, fmt::format("invalid region {}", quote_given(out.region)));
  out.style = parse_style(first(url.style, address.style, aws.addressing_style()).value_or("auto"));
  out.ca_file = first(address.ca_file, aws.ca_file(), std::nullopt);
  return out;
}

RequestTarget target_of(const Location& location, std::string_view region, std::string_view key) {
  Endpoint endpoint;
  if (location.endpoint) {
    endpoint = *location.endpoint;
  } else {
    endpoint = {"https", fmt::format("s3.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : ""), ""};
  }
  const bool in_host = location.style == Style::virtual_host ||
                       (location.style == Style::automatic && is_amazon(endpoint) && is_dns_label(location.bucket));
  std::string path = endpoint.base_path + "/";
  if (in_host) return {endpoint.scheme, location.bucket + "." + endpoint.authority, path.append(key)};
  path += location.bucket;
  // The bucket itself without a slash at the end: some gateways sign one and compare the other.
  if (!key.empty()) path.append("/").append(key);
  return {endpoint.scheme, endpoint.authority, path};
}

}  // namespace cairn::s3
