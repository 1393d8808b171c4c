#include "store/retrying_store.hpp"

#include "store/s3/answer.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;
using Transient = StoreError::Transient;
using std::chrono::nanoseconds;

namespace {

StoreError error(Transient transient, std::optional<nanoseconds> retry_after = std::nullopt) {
  StoreError out{ErrorKind::failed, transient, "unable"};
  if (retry_after) out.set_retry_after(*retry_after);
  return out;
}

}  // namespace

TEST_CASE("retry: only what is transient, within the budget") {
  const RetryPolicy policy;
  CHECK_FALSE(retry_delay(policy, error(Transient::no), Contact::made, 1, 0s, 0.5));
  CHECK_FALSE(retry_delay(policy, error(Transient::no, 1s), Contact::made, 1, 0s, 0.5));
  CHECK(retry_delay(policy, error(Transient::yes), Contact::made, 1, 0s, 0.5) == 100ms);
  CHECK(retry_delay(policy, error(Transient::yes), Contact::never, 9, 10min, 0.5) == 10s);
  CHECK(retry_delay(policy, error(Transient::yes), Contact::made, 9, 15min - 10s, 0.5) == 10s);
  CHECK_FALSE(retry_delay(policy, error(Transient::yes), Contact::made, 9, 15min - 9s, 0.5));
  CHECK_FALSE(retry_delay(policy, error(Transient::yes), Contact::made, 9, 16min, 0.0));
  RetryPolicy none;
  none.budget = 0s;
  CHECK_FALSE(retry_delay(none, error(Transient::yes), Contact::made, 1, 0s, 0.0));
}

TEST_CASE("retry: the delay doubles up to a ceiling, with full jitter") {
  const RetryPolicy policy;
  nanoseconds before{0};
  for (unsigned attempts = 1; attempts < 100; ++attempts) {
    const auto longest = retry_delay(policy, error(Transient::yes), Contact::made, attempts, 0s, 0.999999);
    REQUIRE(longest);
    CHECK(*longest >= before);
    CHECK(*longest < 20s);
    CHECK(retry_delay(policy, error(Transient::yes), Contact::made, attempts, 0s, 0.0) == 0s);
    before = *longest;
  }
  CHECK(before > 19s);
}

TEST_CASE("retry: what the store asks for is the least, and too much of it ends the attempts") {
  const RetryPolicy policy;
  CHECK(retry_delay(policy, error(Transient::yes, 60s), Contact::made, 1, 0s, 0.5) == 60s);
  CHECK(retry_delay(policy, error(Transient::yes, 1ms), Contact::made, 9, 0s, 0.5) == 10s);
  CHECK_FALSE(retry_delay(policy, error(Transient::yes, 16min), Contact::made, 1, 0s, 0.5));
}

TEST_CASE("retry: an address that never answered is given up soon") {
  const RetryPolicy policy;
  CHECK(retry_delay(policy, error(Transient::unreachable), Contact::never, 1, 10s, 0.5));
  CHECK_FALSE(retry_delay(policy, error(Transient::unreachable), Contact::never, 1, 61s, 0.5));
  CHECK(retry_delay(policy, error(Transient::unreachable), Contact::made, 1, 61s, 0.5));
}

TEST_CASE("s3 answers: what is worth another try") {
  using s3::is_transient;
  for (const int status : {408, 429, 499, 500, 502, 503, 504, 509, 520}) CHECK(is_transient(status, ""));
  for (const int status : {400, 401, 403, 404, 405, 409, 411, 412, 416, 501, 505})
    CHECK_FALSE(is_transient(status, ""));
  for (const char* code : {"InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "ThrottlingException",
                           "RequestLimitExceeded", "BandwidthLimitExceeded", "PriorRequestNotComplete",
                           "RequestCanceled", "ConditionalRequestConflict", "OperationAborted"}) {
    INFO(code);
    CHECK(is_transient(400, code));
  }
  for (const char* code : {"AccessDenied", "NoSuchBucket", "InvalidRange", "SignatureDoesNotMatch", "EntityTooLarge"}) {
    INFO(code);
    CHECK_FALSE(is_transient(400, code));
  }
}

TEST_CASE("s3 answers: the pause that a server asks for") {
  s3::HttpResponse response;
  CHECK_FALSE(s3::retry_after(response));
  response.headers["retry-after"] = "5";
  CHECK(s3::retry_after(response) == 5s);
  response.headers["x-amz-retry-after"] = "250";
  CHECK(s3::retry_after(response) == 250ms);
  response.headers.erase("x-amz-retry-after");
  response.headers["retry-after"] = "Sat, 21 Nov 2026 03:25:00 GMT";
  CHECK_FALSE(s3::retry_after(response));
  response.headers["date"] = "Sat, 21 Nov 2026 03:24:10 GMT";
  CHECK(s3::retry_after(response) == 50s);
  for (const char* bad : {"-1", "soon", "99999999999", "1.5", ""}) {
    response.headers["retry-after"] = bad;
    INFO(bad);
    CHECK_FALSE(s3::retry_after(response));
  }
}
