// For how long something was under way, whoever and how many did it.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>

namespace cairn {

// Thread-safe. Counts the time in which at least one Running of it lives.
class BusyClock {
 public:
  class Running {
   public:
    // clock: null: nothing is counted.
    explicit Running(BusyClock* clock) : m_clock(clock) {
      if (m_clock != nullptr) m_clock->enter();
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
      if (m_clock != nullptr) m_clock->leave();
    }

   private:
    BusyClock* m_clock;
  };

  // Until now.
  std::chrono::nanoseconds total() const {
    const std::scoped_lock lock{m_mutex};
    return m_running == 0 ? m_total : m_total + (Clock::now() - m_since);
  }

 private:
  using Clock = std::chrono::steady_clock;
  void enter() {
    const std::scoped_lock lock{m_mutex};
    if (m_running++ == 0) m_since = Clock::now();
  }
  void leave() {
    const std::scoped_lock lock{m_mutex};
    if (--m_running == 0) m_total += Clock::now() - m_since;
  }

  mutable std::mutex m_mutex;
  std::size_t m_running = 0;
  Clock::time_point m_since;
  std::chrono::nanoseconds m_total{0};
};

}  // namespace cairn
