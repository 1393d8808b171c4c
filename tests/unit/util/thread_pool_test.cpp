#include "util/thread_pool.hpp"

#include <atomic>
#include <latch>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("ThreadPool: results and exceptions travel in the future") {
  ThreadPool pool{3};
  CHECK(pool.size() == 3);
  auto good = pool.submit([] { return 42; });
  auto bad = pool.submit([]() -> int { throw std::runtime_error("no"); });
  auto nothing = pool.submit([] {});
  CHECK(good.get() == 42);
  CHECK_THROWS_WITH_AS(bad.get(), "no", std::runtime_error);
  CHECK_NOTHROW(nothing.get());
  CHECK(ThreadPool::processors() >= 1);
}

TEST_CASE("ThreadPool: a job that fails does not end its worker") {
  ThreadPool pool{1};
  for (int i = 0; i < 10; ++i) {
    auto bad = pool.submit([]() -> int { throw 1; });
    CHECK_THROWS_AS(bad.get(), int);
  }
  CHECK(pool.submit([] { return 1; }).get() == 1);
}

TEST_CASE("ThreadPool: without threads each job runs at once, in the caller; its failure waits in its future") {
  ThreadPool pool{0};
  CHECK(pool.size() == 0);
  std::vector<int> order;
  auto first = pool.submit([&] {
    CHECK_NOTHROW(pool.submit([&] { order.push_back(1); }).get());
    order.push_back(2);
    return std::this_thread::get_id();
  });
  order.push_back(3);
  auto bad = pool.submit([]() -> int { throw 1; });
  CHECK(first.get() == std::this_thread::get_id());
  CHECK(order == std::vector{1, 2, 3});
  CHECK_THROWS_AS(bad.get(), int);
}

TEST_CASE("ThreadPool: the destructor runs all that was submitted, also what jobs submit meanwhile") {
  std::atomic<int> done{0};
  {
    ThreadPool pool{2};
    for (int i = 0; i < 100; ++i) {
      pool.submit([&] {
        ++done;
        pool.submit([&] { ++done; });
      });
    }
  }
  CHECK(done == 200);
}

TEST_CASE("ThreadPool: jobs run side by side") {
  ThreadPool pool{2};
  std::latch both{2};
  auto a = pool.submit([&] { both.arrive_and_wait(); });
  auto b = pool.submit([&] { both.arrive_and_wait(); });
  a.get();
  b.get();
}

TEST_CASE("OrderedWindow: results come in the order of submission, whatever order jobs end in") {
  ThreadPool pool{4};
  std::vector<int> seen;
  {
    OrderedWindow<int> window{pool, 16, UINT64_MAX, [&](int i) { seen.push_back(i); }};
    // Each waits for the next of its pair: the later one of two ends first.
    std::vector<std::unique_ptr<std::latch>> latches;
    for (int i = 0; i < 200; i += 2) {
      latches.push_back(std::make_unique<std::latch>(1));
      std::latch& later = *latches.back();
      window.push(1, [i, &later] {
        later.wait();
        return i;
      });
      window.push(1, [i, &later] {
        later.count_down();
        return i + 1;
      });
    }
    window.push_ready(1, 200);
    window.drain();
    CHECK(window.empty());
  }
  std::vector<int> expected;
  for (int i = 0; i <= 200; ++i) expected.push_back(i);
  CHECK(seen == expected);
}

TEST_CASE("OrderedWindow: bounded in jobs and in weight; one job heavier than all still runs") {
  ThreadPool pool{4};
  std::atomic<int> in_flight{0};
  std::atomic<std::int64_t> weight{0};
  int most = 0;
  std::int64_t heaviest = 0;
  const auto run = [&](std::size_t max_jobs, std::uint64_t max_weight, const std::vector<std::uint64_t>& weights) {
    most = 0;
    heaviest = 0;
    OrderedWindow<std::uint64_t> window{pool, max_jobs, max_weight, [&](std::uint64_t w) {
                                          --in_flight;
                                          weight -= static_cast<std::int64_t>(w);
                                        }};
    for (const auto w : weights) {
      window.push(w, [w] { return w; });
      most = std::max(most, ++in_flight);
      heaviest = std::max<std::int64_t>(heaviest, weight += static_cast<std::int64_t>(w));
    }
    window.drain();
  };
  run(3, UINT64_MAX, std::vector<std::uint64_t>(50, 1));
  CHECK(most == 3);
  run(100, 10, std::vector<std::uint64_t>(50, 4));
  CHECK(most == 2);
  CHECK(heaviest == 8);
  run(100, 10, {4, 50, 4});
  CHECK(heaviest == 50);
  CHECK(most == 1);
  CHECK(in_flight == 0);
}

TEST_CASE("OrderedWindow: a job's exception reaches the caller in its place, the rest goes on") {
  ThreadPool pool{2};
  std::vector<int> seen;
  OrderedWindow<int> window{pool, 8, UINT64_MAX, [&](int i) { seen.push_back(i); }};
  window.push(1, [] { return 1; });
  window.push(1, []() -> int { throw std::runtime_error("second"); });
  window.push(1, [] { return 3; });
  CHECK_THROWS_WITH_AS(window.drain(), "second", std::runtime_error);
  CHECK(seen == std::vector<int>{1});
  window.drain();
  CHECK(seen == std::vector<int>{1, 3});
}

TEST_CASE("OrderedWindow: an exception of the sink reaches the caller; the destructor waits for what is left") {
  ThreadPool pool{2};
  std::atomic<int> ran{0};
  {
    OrderedWindow<int> window{pool, 4, UINT64_MAX, [](int) { throw std::runtime_error("sink"); }};
    for (int i = 0; i < 4; ++i) {
      window.push(1, [&] { return ++ran; });
    }
    CHECK_THROWS_WITH_AS(window.push(1, [&] { return ++ran; }), "sink", std::runtime_error);
  }
  CHECK(ran == 4);
}
