// How long one capture waits for locks, and how long it has.
#pragma once

#include "util/time.hpp"

#include <chrono>
#include <functional>
#include <thread>
#include <utility>

namespace cairn::sqlite {

// One thread.
class Patience {
 public:
  using Clock = std::chrono::steady_clock;

  // given_up: asked before each wait, whether there is to be no other.
  explicit Patience(Nanoseconds limit, std::function<bool()> given_up = {})
      : m_limit(limit), m_given_up(std::move(given_up)) {}
  // Waits a moment; false, at once, where the limit is reached.
  bool wait(std::chrono::milliseconds moment) {
    if (m_waited >= m_limit || (m_given_up && m_given_up())) return false;
    const auto begun = Clock::now();
    std::this_thread::sleep_for(moment);
    m_waited += Clock::now() - begun;
    return true;
  }
  bool exhausted() const noexcept { return m_waited >= m_limit; }
  Nanoseconds waited() const noexcept { return m_waited; }

 private:
  Nanoseconds m_limit;
  std::function<bool()> m_given_up;
  Nanoseconds m_waited{0};
};

}  // namespace cairn::sqlite
