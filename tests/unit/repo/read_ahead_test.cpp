#include "repo/read_ahead.hpp"

#include "util/error.hpp"

#include <atomic>
#include <optional>
#include <set>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

constexpr std::uint64_t k_length = 1000;

// Runs of four frames each, every one wanted, of one pack.
std::vector<FrameRun> runs_of(std::uint32_t count) {
  std::vector<FrameRun> out;
  for (std::uint32_t i = 0; i < count; ++i) out.push_back({1, i * 4, i * 4 + 3, 4, i * k_length, k_length, false});
  return out;
}

struct Subject {
  ThreadPool io;
  std::mutex mutex;
  std::vector<std::uint32_t> started;  // first frames, in order
  std::set<std::uint32_t> failing;
  std::optional<ReadAhead> ahead;

  Subject(unsigned threads, std::vector<FrameRun> runs, std::uint64_t limit) : io(threads) {
    const auto reader = [this](const FrameRun& run) -> ReadAhead::Parts {
      started.push_back(run.first);
      return {[this, run] {
        const std::scoped_lock lock{mutex};
        if (failing.contains(run.first)) throw Error(ErrorKind::damaged, "gone");
        return Bytes(run.length, static_cast<std::uint8_t>(run.first));
      }};
    };
    ahead.emplace(io, reader, std::move(runs), limit);
  }
  // The first frame of the run that came, or -1; -2 where it failed.
  int take(std::uint32_t frame) {
    std::promise<int> came;
    const bool taken = ahead->take(1, frame, [&](const FrameRun& run, const ReadAhead::Fetched& fetched) {
      if (fetched.failure) return came.set_value(-2);
      CHECK(fetched.bytes->size() == run.length);
      CHECK(fetched.bytes->front() == static_cast<std::uint8_t>(run.first));
      came.set_value(static_cast<int>(run.first));
    });
    return taken ? came.get_future().get() : -1;
  }
};

}  // namespace

TEST_CASE("read ahead: every run is read once, in order, and no more at a time than the limit") {
  for (const unsigned threads : {0U, 3U}) {
    CAPTURE(threads);
    Subject subject{threads, runs_of(10), 3 * k_length};
    CHECK(subject.started.empty());
    for (std::uint32_t frame = 0; frame < 40; ++frame) {
      CHECK(subject.take(frame) == static_cast<int>(frame / 4 * 4));
      // The one in use and two more; the next as soon as all of one is taken.
      CHECK(subject.started.size() == std::min<std::size_t>(10, 3 + (frame + 1) / 4));
    }
    CHECK(std::is_sorted(subject.started.begin(), subject.started.end()));
  }
}

TEST_CASE("read ahead: what is not planned, or was let go, is for the caller to fetch") {
  Subject subject{2, runs_of(4), 2 * k_length};
  CHECK(subject.take(16) == -1);
  CHECK_FALSE(subject.ahead->take(2, 0, [](const FrameRun&, const ReadAhead::Fetched&) { FAIL("called"); }));
  CHECK(subject.take(0) == 0);
  // Out of order: room is made for it, at the cost of the oldest.
  CHECK(subject.take(12) == 12);
  CHECK(subject.take(1) == -1);
  CHECK(subject.take(13) == 12);
}

TEST_CASE("read ahead: one run always may be read, however long") {
  Subject subject{1, runs_of(2), 10};
  CHECK(subject.take(0) == 0);
  CHECK(subject.take(5) == 4);
  CHECK(subject.take(6) == 4);
}

TEST_CASE("read ahead: a failure reaches whoever takes from that run, and nobody else") {
  Subject subject{2, runs_of(3), 3 * k_length};
  subject.failing = {4};
  CHECK(subject.take(0) == 0);
  CHECK(subject.take(4) == -2);
  CHECK(subject.take(5) == -2);
  CHECK(subject.take(8) == 8);
}

TEST_CASE("read ahead: a whole pack is held until all that is wanted of it was taken") {
  constexpr std::uint32_t k_last = 0xffff'ffff;
  std::vector<FrameRun> runs;
  for (std::uint64_t pack = 1; pack <= 3; ++pack) runs.push_back({pack, 0, k_last, 0, 0, k_length, true});
  for (const unsigned threads : {0U, 2U}) {
    CAPTURE(threads);
    Subject subject{threads, runs, 2 * k_length};
    subject.ahead->go_ahead();
    CHECK(subject.started.size() == 2);
    const auto came = subject.ahead->whole(1);
    REQUIRE(came);
    CHECK(came->bytes->size() == k_length);
    subject.ahead->settle(1, 2);
    CHECK_FALSE(subject.ahead->whole(1));
    CHECK(subject.take(7) == 0);
    CHECK(subject.started.size() == 2);
    CHECK(subject.take(900) == 0);
    CHECK(subject.started.size() == 3);
    CHECK(subject.take(7) == -1);
    // Nobody says what is wanted of it: it stays until room is needed.
    for (int i = 0; i < 2; ++i) CHECK(subject.ahead->whole(2).has_value());
    subject.ahead->drop(2);
    CHECK_FALSE(subject.ahead->whole(2));
    CHECK_FALSE(subject.ahead->whole(4));
    subject.ahead->drop(4);
  }
}

TEST_CASE("read ahead: where what is read jumps between too many packs, they are not read whole for ever") {
  std::vector<FrameRun> runs;
  for (std::uint64_t pack = 1; pack <= 100; ++pack) runs.push_back({pack, 0, 0xffff'ffff, 0, 0, k_length, true});
  Subject subject{2, runs, 2 * k_length};
  std::size_t came = 0;
  for (std::uint64_t pack = 1; pack <= 100; ++pack) came += subject.ahead->whole(pack) ? 1U : 0U;
  CHECK(came >= 3);
  CHECK(came <= 10);
  CHECK(subject.started.size() == came);
}

TEST_CASE("read ahead: a whole pack that fails is told to whoever waits for it") {
  Subject subject{2, {{1, 0, 0xffff'ffff, 0, 0, k_length, true}}, k_length};
  subject.failing = {0};
  const auto came = subject.ahead->whole(1);
  REQUIRE(came);
  CHECK(came->failure);
  CHECK_FALSE(came->bytes);
}

TEST_CASE("read ahead: many that wait for one run are all served, and what nobody takes is waited for at the end") {
  std::atomic<int> served{0};
  std::promise<void> go;
  const auto may = go.get_future().share();
  {
    ThreadPool io{2};
    const auto reader = [&](const FrameRun& run) -> ReadAhead::Parts {
      return {[&, run] {
        may.wait();
        return Bytes(run.length);
      }};
    };
    ReadAhead ahead{io, reader, runs_of(2), 2 * k_length};
    for (std::uint32_t frame = 0; frame < 4; ++frame) {
      CHECK(ahead.take(1, frame, [&](const FrameRun&, const ReadAhead::Fetched&) { ++served; }));
    }
    CHECK(served == 0);
    go.set_value();
  }
  CHECK(served == 4);
}

TEST_CASE("read ahead: a run that comes in parts is put together, and fails where one does") {
  for (const unsigned threads : {0U, 4U}) {
    CAPTURE(threads);
    ThreadPool io{threads};
    std::atomic<bool> fails{false};
    const auto reader = [&](const FrameRun& run) {
      ReadAhead::Parts parts;
      for (std::uint8_t i = 0; i < 5; ++i) {
        parts.emplace_back([&fails, run, i] {
          if (fails && i == 3) throw Error(ErrorKind::damaged, "gone");
          // The last one is short, as the end of a pack that was cut.
          return Bytes(i == 4 ? 7 : 100, static_cast<std::uint8_t>(run.first + i));
        });
      }
      return parts;
    };
    ReadAhead ahead{io, reader, runs_of(2), 10 * k_length};
    const auto take = [&](std::uint32_t frame) {
      std::promise<ReadAhead::Fetched> came;
      REQUIRE(ahead.take(1, frame, [&](const FrameRun&, const ReadAhead::Fetched& f) { came.set_value(f); }));
      return came.get_future().get();
    };
    const auto whole = take(0);
    REQUIRE(whole.bytes);
    CHECK(whole.bytes->size() == 407);
    for (std::size_t i = 0; i < whole.bytes->size(); ++i) REQUIRE((*whole.bytes)[i] == i / 100);
    fails = true;
    const auto failed = take(4);
    // What was under way before may have come whole.
    if (!failed.failure) CHECK(failed.bytes->size() == 407);
    ReadAhead again{io, reader, runs_of(1), 10 * k_length};
    std::promise<bool> told;
    REQUIRE(
        again.take(1, 0, [&](const FrameRun&, const ReadAhead::Fetched& f) { told.set_value(f.failure != nullptr); }));
    CHECK(told.get_future().get());
  }
}
