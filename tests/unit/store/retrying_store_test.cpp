#include "store/retrying_store.hpp"

#include "store/s3/answer.hpp"
#include "support/memory_store.hpp"
#include "unit/support.hpp"
#include "util/interrupt.hpp"

#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <climits>
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
  // Further apart than 64-bit nanoseconds count.
  response.headers["retry-after"] = "Wed, 01 Jan 2262 00:00:00 GMT";
  response.headers["date"] = "Mon, 01 Jan 1680 00:00:00 GMT";
  CHECK(s3::retry_after(response) == nanoseconds::max());
  for (const char* bad : {"-1", "soon", "99999999999", "1.5", ""}) {
    response.headers["retry-after"] = bad;
    INFO(bad);
    CHECK_FALSE(s3::retry_after(response));
  }
}

namespace {

// A store whose attempts take as long as they are told, and all fail, but for as many as shall succeed after so many.
struct Slow {
  Slow() {
    memory->on_call = [this](const std::string&, const std::string&) {
      steady += took;
      if (++attempts <= failing) throw error(transient);
    };
  }
  test::MemoryStore* memory = new test::MemoryStore;
  SilentReporter reporter;
  std::chrono::steady_clock::time_point steady{};
  nanoseconds took{0};
  Transient transient = Transient::yes;
  int attempts = 0;
  int failing = INT_MAX;
  RetryingStore store{
      std::unique_ptr<ObjectStore>{memory}, RetryPolicy{}, reporter,
      RetryTools{[this] { return steady; }, [this](nanoseconds delay) { steady += delay; }, [] { return 0.5; }}};

  bool put(bool ages = false) {
    attempts = 0;
    ObjectBody body = ObjectBody::from_text("text");
    body.ages = ages;
    return !test::failure_of([&] { store.put("a", body); });
  }
};

}  // namespace

TEST_CASE("retry: a transfer that took longer than the budget is tried again") {
  Slow slow;
  slow.took = 16min;
  slow.failing = 1;
  CHECK(slow.put());
  CHECK(slow.attempts == 3);  // with the call after the put
  // One that gets nowhere is no transfer without end.
  slow.failing = INT_MAX;
  CHECK_FALSE(slow.put());
  CHECK(slow.attempts == 6);
}

TEST_CASE("retry: what grows old has the budget from the beginning on, however long a transfer takes") {
  Slow slow;
  slow.took = 4min;
  CHECK_FALSE(slow.put(true));
  CHECK(slow.attempts == 4);
  slow.failing = 1;
  CHECK(slow.put(true));
}

TEST_CASE("retry: what fails at once has the budget once") {
  Slow slow;
  slow.took = 1s;
  CHECK_FALSE(slow.put());
  CHECK(slow.steady.time_since_epoch() < 16min);
  CHECK(slow.steady.time_since_epoch() > 14min);
}

TEST_CASE("retry: an address that never answered has its time from the beginning on") {
  Slow slow;
  slow.took = 40s;
  slow.transient = Transient::unreachable;
  CHECK_FALSE(slow.put());
  CHECK(slow.attempts == 2);
}

TEST_CASE("retry: what is written on the way out does not wait for a store that is out of order") {
  auto memory = std::make_unique<test::MemoryStore>();
  int attempts = 0;
  memory->on_call = [&](const std::string&, const std::string&) {
    ++attempts;
    throw error(Transient::yes);
  };
  SilentReporter reporter;
  RetryPolicy policy;
  policy.budget = 20s;
  RetryingStore store{std::move(memory), policy, reporter};
  const auto began = std::chrono::steady_clock::now();
  set_interrupted(SIGTERM);
  {
    const InterruptPause pause{2s};
    const InterruptPause inner;
    CHECK(test::failure_of([&] { store.put("a", ObjectBody::from_text("text")); }) == ErrorKind::failed);
    CHECK(InterruptPause::left() < 10s);
  }
  CHECK(interrupted_by() == SIGTERM);
  set_interrupted(0);
  CHECK_FALSE(InterruptPause::left());
  CHECK(attempts > 1);
  CHECK(std::chrono::steady_clock::now() - began < 10s);
}

TEST_CASE("retry: a put that was answered by nobody and is then refused, because it is there, has worked") {
  auto owned = std::make_unique<test::MemoryStore>();
  test::MemoryStore& memory = *owned;
  SilentReporter reporter;
  RetryingStore store{
      std::move(owned), RetryPolicy{}, reporter,
      RetryTools{[] { return std::chrono::steady_clock::time_point{}; }, [](nanoseconds) {}, [] { return 0.5; }}};
  bool lose = true;
  memory.on_call = [&](const std::string& operation, const std::string& key) {
    // Retention: nothing is overwritten.
    if (operation == "put" && memory.has(key)) throw error(Transient::no);
    if (operation == "after put" && std::exchange(lose, false)) throw error(Transient::yes);
  };
  CHECK(store.put("a", ObjectBody::from_text("text")) == PutOutcome::stored);
  // Somebody else's PUT of the same bytes is as good, one of others is not.
  CHECK(store.put("a", ObjectBody::from_text("text")) == PutOutcome::stored);
  CHECK(test::failure_of([&] { store.put("a", ObjectBody::from_text("TEXT")); }) == ErrorKind::failed);
  CHECK(test::failure_of([&] { store.put("a", ObjectBody::from_text("longer text")); }) == ErrorKind::failed);
  const TemporaryDirectory directory{fs::temp_directory_path()};
  for (const auto* text : {"text", "TEXT"}) {
    const fs::path file = directory.path() / text;
    write_file_atomic(file, as_bytes(text));
    const bool same = std::string_view{text} == "text";
    CHECK(test::failure_of([&] { store.put("a", ObjectBody::from_file(file, 4)); }).has_value() != same);
  }
  // A user who may not even look is told why he may not put.
  memory.on_call = [](const std::string& operation, const std::string&) {
    throw StoreError(ErrorKind::failed, Transient::no, operation);
  };
  CHECK(test::message_of([&] { store.put("a", ObjectBody::from_text("text")); }) == "put");
}

TEST_CASE("s3 answers: a server's clock before 1970 corrects nobody's") {
  s3::Answer answer;
  answer.response.status = 403;
  answer.error.code = "RequestTimeTooSkewed";
  const Time signed_at = *parse_time("2026-11-21T03:24:10Z");
  answer.response.headers["date"] = "Sat, 21 Nov 2026 04:24:10 GMT";
  CHECK(s3::clock_correction(answer, signed_at, false) == 1h);
  answer.response.headers["date"] = "Mon, 01 Jan 1680 00:00:00 GMT";
  CHECK_FALSE(s3::clock_correction(answer, signed_at, false));
}
