// AWS Signature Version 4 as S3 uses it: the path is percent-encoded once and not normalised. Pure functions, each
// stage by itself, so that a test names the stage that is wrong.
// Source: AWS, "Signature Version 4 signing process" and "Authenticating requests (AWS Signature Version 4)" of the
// Amazon S3 API reference.
#pragma once

#include "codec/digest.hpp"
#include "util/time.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn::s3 {

// Names and values as they are before any encoding. Order is kept, names may repeat.
using Pairs = std::vector<std::pair<std::string, std::string>>;

struct SignableRequest {
  std::string method;
  std::string path;  // not encoded, begins with a slash
  Pairs query;
  Pairs headers;             // all that are to be signed, host among them
  std::string payload_hash;  // 64 hexadecimal digits, or UNSIGNED-PAYLOAD
};

struct SigningKey {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // empty: none
  std::string region;
  std::string service = "s3";
};

inline constexpr std::string_view k_unsigned_payload = "UNSIGNED-PAYLOAD";

// Every byte but A-Z a-z 0-9 - _ . ~ as %XX.
enum class Slash { keep, encode };
std::string uri_encode(std::string_view text, Slash slash);
// Encoded, then sorted by encoded name and value, joined by ampersands; a name without a value keeps its "=". What
// goes on the wire as well.
std::string canonical_query(const Pairs& query);
// "host;x-amz-date"
std::string signed_headers(const Pairs& headers);
std::string canonical_request(const SignableRequest& request);

// "20150830T123600Z"
std::string amz_date(Time time);
// "20150830/us-east-1/s3/aws4_request"
std::string credential_scope(const SigningKey& key, std::string_view date);
std::string string_to_sign(std::string_view canonical, std::string_view date, std::string_view scope);
// 64 hexadecimal digits.
std::string signature(const SigningKey& key, std::string_view date, std::string_view to_sign);

// The value of the Authorization header. The request has its x-amz-date (the same time), x-amz-content-sha256 and
// x-amz-security-token headers already.
std::string authorization(const SignableRequest& request, const SigningKey& key, Time time);

// The query of a presigned URL, the signature included: the request's own parameters and the X-Amz- ones.
Pairs presigned_query(SignableRequest request, const SigningKey& key, Time time, unsigned expires_seconds);

}  // namespace cairn::s3
