// Planning in the order of the entry list, while local files are read and hashed beside it.
#pragma once

#include "util/thread_pool.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace cairn {

// Work that is handed over runs on the thread that hands it over, one after the other: at once, where nothing that
// waits for a job in the pool comes before it. Few wait at a time, so that memory and open files are bounded. One
// thread.
class PlanningOrder {
 public:
  using Then = std::function<void()>;
  static constexpr std::size_t k_waiting = 128;

  explicit PlanningOrder(ThreadPool& pool)
      : m_pool(pool), m_window(pool, k_waiting, UINT64_MAX, [](const Then& then) { then(); }) {}

  template <class F>
  void add(F then) {
    m_window.take_ready();
    if (m_window.empty()) return then();
    m_window.push_ready(0, Then{std::move(then)});
  }
  // job runs in the pool, and gives what then is to be done here.
  template <class F>
  void after(F job) {
    m_window.push(0, [job = std::move(job)]() mutable { return Then{job()}; });
  }
  // Runs all of it.
  void finish() { m_window.drain(); }

  ThreadPool& pool() noexcept { return m_pool; }

 private:
  ThreadPool& m_pool;
  OrderedWindow<Then> m_window;
};

}  // namespace cairn
