#include "store/s3/answer.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace cairn::s3 {

namespace {

template <class Set, class Value>
bool contains(const Set& set, const Value& value) {
  return std::find(set.begin(), set.end(), value) != set.end();
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  if (text.empty() || text.size() > 9) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::string hint_for(const Answer& answer, std::string_view credential_source) {
  const std::string& code = answer.error.code;
  if (code == "InvalidObjectState") {
    return "the object is in a cold storage class: restore it there first (aws s3api restore-object)";
  }
  if (code == "SignatureDoesNotMatch") {
    return fmt::format("the secret key, the region or a proxy is wrong; credentials come from {}", credential_source);
  }
  if (code == "ExpiredToken" || code == "TokenRefreshRequired") {
    return fmt::format("the temporary credentials have expired; they come from {}", credential_source);
  }
  if (answer.response.status == 401 || answer.response.status == 403) {
    return fmt::format("credentials come from {}", credential_source);
  }
  if (code == "NoSuchBucket") return "a bucket is never created; check its name, the endpoint and the region";
  return {};
}

}  // namespace

bool is_transient(int status, std::string_view code) {
  static constexpr std::array<int, 9> k_statuses{408, 429, 499, 500, 502, 503, 504, 509, 520};
  static constexpr std::array<std::string_view, 12> k_codes{
      "InternalError",          "SlowDown",        "ServiceUnavailable",      "RequestTimeout",
      "RequestLimitExceeded",   "Throttling",      "ThrottlingException",     "ThrottledException",
      "BandwidthLimitExceeded", "RequestCanceled", "PriorRequestNotComplete", "ConditionalRequestConflict"};
  return contains(k_statuses, status) || contains(k_codes, code) || code.starts_with("Throttling") ||
         code == "OperationAborted";
}

std::optional<std::chrono::nanoseconds> retry_after(const HttpResponse& response) {
  if (const auto milliseconds = whole_number(response.header("x-amz-retry-after").value_or(""))) {
    return std::chrono::milliseconds{*milliseconds};
  }
  const std::string text = response.header("retry-after").value_or("");
  if (const auto seconds = whole_number(text)) return std::chrono::seconds{*seconds};
  const auto until = parse_http_date(text);
  const auto now = parse_http_date(response.header("date").value_or(""));
  if (until && now && *until > *now) return elapsed(*now, *until);
  return std::nullopt;
}

std::optional<std::string> other_region(const Answer& answer, std::string_view used) {
  static constexpr std::array<int, 4> k_statuses{301, 307, 400, 403};
  if (!contains(k_statuses, answer.response.status)) return std::nullopt;
  std::string region = answer.response.header("x-amz-bucket-region").value_or(answer.error.region);
  const bool valid = !region.empty() && region.size() < 64 && std::all_of(region.begin(), region.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (!valid || region == used) return std::nullopt;
  return region;
}

std::optional<std::chrono::nanoseconds> clock_correction(const Answer& answer, Time signed_at, bool is_head) {
  if (answer.response.status != 403) return std::nullopt;
  const auto date = parse_http_date(answer.response.header("date").value_or(""));
  // No server's clock shows less than 1970: what is corrected by must leave room to calculate with.
  if (!date || *date < Time{}) return std::nullopt;
  const auto difference = elapsed(signed_at, *date);
  if (answer.error.code == "RequestTimeTooSkewed" || answer.error.code == "RequestInTheFuture") return difference;
  const bool far = difference > std::chrono::minutes{14} || difference < -std::chrono::minutes{14};
  if (is_head && far) return difference;
  return std::nullopt;
}

StoreError failure(const Answer& answer, std::string_view verb, std::string_view what,
                   std::string_view credential_source) {
  std::string cause = fmt::format("{}", answer.response.status);
  if (!answer.error.code.empty()) cause += " " + terminal_safe(answer.error.code.substr(0, 100));
  if (!answer.error.message.empty()) cause += ": " + terminal_safe(answer.error.message.substr(0, 300));
  if (answer.error.code.empty()) {
    switch (answer.response.status) {
      case 301:
      case 307:
        cause += " redirect";
        break;
      case 400:
        cause += " bad request";
        break;
      case 403:
        cause += " access denied";
        break;
      case 404:
        cause += " not found";
        break;
      case 503:
        cause += " service unavailable";
        break;
      default:
        break;
    }
  }
  const bool no_bucket = answer.error.code == "NoSuchBucket";
  const bool bad_digest = answer.error.code == "BadDigest" || answer.error.code == "XAmzContentSHA256Mismatch";
  // A success that turns out to be an error was begun before its outcome was known: worth another try whatever it says.
  const bool late = answer.response.status < 300;
  const auto transient = late || is_transient(answer.response.status, answer.error.code) ? StoreError::Transient::yes
                                                                                         : StoreError::Transient::no;
  StoreError error{no_bucket    ? ErrorKind::not_found
                   : bad_digest ? ErrorKind::damaged
                                : ErrorKind::failed,
                   transient, fmt::format("unable to {} {}: {}", verb, what, cause),
                   hint_for(answer, credential_source)};
  if (const auto delay = retry_after(answer.response)) error.set_retry_after(*delay);
  return error;
}

}  // namespace cairn::s3
