// One pool of workers, and a window over it that hands results back in the order of submission.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace cairn {

// Fixed number of threads, first in first out. An exception of a job travels in its future. The destructor runs what
// was submitted to its end, so a job may refer to whatever outlives the pool.
class ThreadPool {
 public:
  // 0: no threads, submit() runs the job itself, so that a run is one sequence of steps and can be told again.
  explicit ThreadPool(unsigned threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  unsigned size() const noexcept { return static_cast<unsigned>(m_threads.size()); }

  template <class F>
  auto submit(F job) -> std::future<std::invoke_result_t<F&>> {
    auto task = std::make_shared<std::packaged_task<std::invoke_result_t<F&>()>>(std::move(job));
    auto future = task->get_future();
    post([task] { (*task)(); });
    return future;
  }

  // The number of processors that this process may use, at least 1.
  static unsigned processors();

 private:
  void post(std::function<void()> job);
  void work(const std::stop_token& stop);

  std::mutex m_mutex;
  std::condition_variable_any m_changed;
  std::deque<std::function<void()>> m_jobs;
  std::vector<std::jthread> m_threads;
};

// One job beside what its owner does meanwhile. The destructor waits for it, so it may refer to whatever outlives it.
template <class T>
class Background {
 public:
  template <class F>
  Background(ThreadPool& pool, F job) : m_result(pool.submit(std::move(job))) {}
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background() {
    if (m_result.valid()) m_result.wait();
  }

  bool ready() const { return m_result.wait_for(std::chrono::seconds{0}) == std::future_status::ready; }
  // Once. Waits; throws what the job threw.
  T get() { return m_result.get(); }

 private:
  std::future<T> m_result;
};

// Jobs in flight, results in order, bounded in number and in the sum of their weights (bytes). Used by one thread.
// push() blocks (by taking the oldest results) while the window is full. A job's exception is thrown by the call that
// takes its result. The destructor waits for the jobs that are left and drops their results.
template <class T>
class OrderedWindow {
 public:
  using Sink = std::function<void(T)>;

  OrderedWindow(ThreadPool& pool, std::size_t max_jobs, std::uint64_t max_weight, Sink sink)
      : m_pool(pool), m_max_jobs(max_jobs), m_max_weight(max_weight), m_sink(std::move(sink)) {}
  OrderedWindow(const OrderedWindow&) = delete;
  OrderedWindow& operator=(const OrderedWindow&) = delete;
  ~OrderedWindow() {
    for (auto& item : m_items) item.result.wait();
  }

  template <class F>
  void push(std::uint64_t weight, F job) {
    while (!m_items.empty() && (m_items.size() >= m_max_jobs || m_weight + weight > m_max_weight)) take();
    m_weight += weight;
    m_items.push_back({m_pool.submit(std::move(job)), weight});
  }
  // Puts a result that is there already in its place in the order.
  void push_ready(std::uint64_t weight, T value) {
    while (!m_items.empty() && (m_items.size() >= m_max_jobs || m_weight + weight > m_max_weight)) take();
    std::promise<T> promise;
    promise.set_value(std::move(value));
    m_weight += weight;
    m_items.push_back({promise.get_future(), weight});
  }
  void drain() {
    while (!m_items.empty()) take();
  }
  // Takes the results, oldest first, that need not be waited for.
  void take_ready() {
    while (!m_items.empty() && m_items.front().result.wait_for(std::chrono::seconds{0}) == std::future_status::ready) {
      take();
    }
  }
  // The weight in flight.
  std::uint64_t weight() const noexcept { return m_weight; }
  bool empty() const noexcept { return m_items.empty(); }

 private:
  struct Item {
    std::future<T> result;
    std::uint64_t weight;
  };
  void take() {
    Item item = std::move(m_items.front());
    m_items.pop_front();
    m_weight -= item.weight;
    m_sink(item.result.get());
  }

  ThreadPool& m_pool;
  std::size_t m_max_jobs;
  std::uint64_t m_max_weight;
  std::uint64_t m_weight = 0;
  Sink m_sink;
  std::deque<Item> m_items;
};

}  // namespace cairn
