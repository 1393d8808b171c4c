// So many bytes a second, whoever takes them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>

namespace cairn {

// Thread-safe. Those who ask are served in the order in which they ask: each gets the stretch of time behind the one
// before, so that small pieces come evenly, however many threads there are. What was not used is gone: after a pause
// nobody gets more than a tenth of a second's bytes at once.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;
  // Tests give it these instead of the real ones. sleep: throws Error(interrupted) when a signal arrives.
  struct Tools {
    std::function<Clock::time_point()> now;
    std::function<void(std::chrono::nanoseconds)> sleep;
    static Tools real();
  };

  // At least 1.
  explicit RateLimiter(std::uint64_t bytes_per_second, Tools tools = Tools::real());

  // Returns when so many bytes may have come; says how long that took. To be called with pieces of what comes, as it
  // comes. Throws Error(interrupted).
  std::chrono::nanoseconds take(std::uint64_t bytes);

  std::uint64_t rate() const noexcept { return m_rate; }

 private:
  std::uint64_t m_rate;
  Tools m_tools;
  std::mutex m_mutex;
  Clock::time_point m_free;  // when all that was given out has gone through
};

}  // namespace cairn
