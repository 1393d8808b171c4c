// How long one capture waits for locks, and how long it has.
#pragma once

#include "util/time.hpp"

#include <chrono>
#include <thread>

namespace cairn::sqlite {

// One thread.
class Patience {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Patience(Nanoseconds limit) : m_limit(limit) {}
  // Waits a moment; false, at once, where the limit is reached.
  bool wait(std::chrono::milliseconds moment) {
    if (m_waited >= m_limit) return false;
    const auto begun = Clock::now();
    std::this_thread::sleep_for(moment);
    m_waited += Clock::now() - begun;
    return true;
  }
  bool exhausted() const noexcept { return m_waited >= m_limit; }
  Nanoseconds waited() const noexcept { return m_waited; }

 private:
  Nanoseconds m_limit;
  Nanoseconds m_waited{0};
};

}  // namespace cairn::sqlite
