#include "util/thread_pool.hpp"

#include <algorithm>
#include <sched.h>

namespace cairn {

ThreadPool::ThreadPool(unsigned threads) {
  m_threads.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) {
    m_threads.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

ThreadPool::~ThreadPool() {
  for (auto& thread : m_threads) thread.request_stop();
  m_threads.clear();  // joins
}

unsigned ThreadPool::processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
  return std::max(1U, std::thread::hardware_concurrency());
}

void ThreadPool::post(std::function<void()> job) {
  if (m_threads.empty()) {
    job();
    return;
  }
  {
    const std::scoped_lock lock{m_mutex};
    m_jobs.push_back(std::move(job));
  }
  m_changed.notify_one();
}

void ThreadPool::work(const std::stop_token& stop) {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock{m_mutex};
      m_changed.wait(lock, stop, [this] { return !m_jobs.empty(); });
      if (m_jobs.empty()) return;  // stopped, and nothing left to run
      job = std::move(m_jobs.front());
      m_jobs.pop_front();
    }
    job();
  }
}

}  // namespace cairn
