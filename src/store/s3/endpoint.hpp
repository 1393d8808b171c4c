// Which host and path a bucket's requests go to. Pure.
#pragma once

#include "store/s3/credentials.hpp"
#include "store/store_address.hpp"
#include "store/store_url.hpp"
#include "util/rate_limiter.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cairn::s3 {

enum class Style {
  automatic,     // virtual-host on AWS for names without a dot (which no wildcard certificate covers), else path
  path,          // https://host/bucket/key
  virtual_host,  // https://bucket.host/key
};

struct Endpoint {
  std::string scheme;     // "http" or "https"
  std::string authority;  // host, and the port unless it is the scheme's own
  std::string base_path;  // empty, or "/..." without a slash at the end
};

// http or https, host, optional port and path. Throws Error(usage).
Endpoint parse_endpoint(std::string_view text);

// Everything about a store that is not a secret.
struct Location {
  std::string bucket;
  std::string prefix;                // no slash at either end
  std::optional<Endpoint> endpoint;  // nothing: AWS
  std::string region;
  Style style = Style::automatic;
  std::optional<std::string> ca_file;
  std::shared_ptr<RateLimiter> downloads = nullptr;  // StoreAddress::downloads
};

// URL options over the address's fields over environment and profile. Throws Error(usage).
Location locate(const S3Url& url, const StoreAddress& address, const AwsEnvironment& aws);

// Where to send a request for a key (or "" for the bucket itself) while `region` is believed to be the bucket's.
struct RequestTarget {
  std::string scheme;
  std::string host;  // value of the Host header
  std::string path;  // not encoded
};
RequestTarget target_of(const Location& location, std::string_view region, std::string_view key);

}  // namespace cairn::s3
