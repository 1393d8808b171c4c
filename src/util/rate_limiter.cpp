#include "util/rate_limiter.hpp"

#include "util/interrupt.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace cairn {

namespace {

constexpr auto k_burst = std::chrono::milliseconds{100};
// A wait lasts no longer before the interrupt flag is looked at.
constexpr auto k_slice = std::chrono::milliseconds{100};

}  // namespace

RateLimiter::Tools RateLimiter::Tools::real() {
  return {[] { return Clock::now(); },
          [](std::chrono::nanoseconds duration) {
            const auto end = Clock::now() + duration;
            for (auto left = duration; left > std::chrono::nanoseconds{0}; left = end - Clock::now()) {
              check_interrupted();
              std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, k_slice));
            }
            check_interrupted();
          }};
}

RateLimiter::RateLimiter(std::uint64_t bytes_per_second, Tools tools)
    : m_rate(std::max<std::uint64_t>(bytes_per_second, 1)), m_tools(std::move(tools)), m_free(m_tools.now()) {}

std::chrono::nanoseconds RateLimiter::take(std::uint64_t bytes) {
  const auto begun = m_tools.now();
  const auto seconds = std::chrono::duration<double>{static_cast<double>(bytes) / static_cast<double>(m_rate)};
  Clock::time_point turn;
  {
    const std::lock_guard lock{m_mutex};
    m_free = std::max(m_free, begun - k_burst) + std::chrono::duration_cast<std::chrono::nanoseconds>(seconds);
    turn = m_free;
  }
  if (turn <= begun) return {};
  m_tools.sleep(turn - begun);
  return m_tools.now() - begun;
}

}  // namespace cairn
