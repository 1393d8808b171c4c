#include "util/rate_limiter.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <csignal>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

// A clock that stands still but for sleeps.
struct StillClock {
  RateLimiter::Clock::time_point now{1h};
  std::vector<std::chrono::nanoseconds> slept;
  RateLimiter::Tools tools() {
    return {[this] { return now; },
            [this](std::chrono::nanoseconds d) {
              slept.push_back(d);
              now += d;
            }};
  }
};

}  // namespace

TEST_CASE("rate limiter: pieces come evenly, and in a second no more than the rate") {
  StillClock clock;
  RateLimiter limiter{1000, clock.tools()};
  const auto begun = clock.now;
  for (int i = 0; i < 100; ++i) limiter.take(100);
  // 10,000 bytes, of which a tenth of a second's come at once.
  CHECK(clock.now - begun >= 9800ms);
  CHECK(clock.now - begun <= 10s);
  for (const auto& wait : clock.slept) CHECK(wait <= 101ms);
}

TEST_CASE("rate limiter: a pause saves up no more than a moment") {
  StillClock clock;
  RateLimiter limiter{1000, clock.tools()};
  clock.now += 1h;
  const auto begun = clock.now;
  limiter.take(1000);
  CHECK(clock.now - begun >= 890ms);
}

TEST_CASE("rate limiter: it says how long it held somebody up") {
  StillClock clock;
  RateLimiter limiter{1000, clock.tools()};
  const auto held_up = limiter.take(2000);
  CHECK(held_up == clock.slept.at(0));
  CHECK(limiter.take(0) == 0ns);
}

TEST_CASE("rate limiter: a signal ends the wait") {
  RateLimiter limiter{1};
  set_interrupted(SIGTERM);
  bool thrown = false;
  try {
    limiter.take(1'000'000);
  } catch (const Error& e) {
    thrown = e.kind() == ErrorKind::interrupted;
  }
  set_interrupted(0);
  CHECK(thrown);
}
