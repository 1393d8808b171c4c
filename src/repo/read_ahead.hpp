// Runs of frames that are known to be needed, fetched before somebody asks for them, several at a time: over a network
// the time that a request takes on its way counts more than the bytes.
#pragma once

#include "repo/fetch_plan.hpp"
#include "util/bytes.hpp"
#include "util/thread_pool.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace cairn {

// Used by one thread; what it calls back may run in another.
class ReadAhead {
 public:
  // Each gives a part of a run's stored bytes; one after another they are the run. Called by other threads, at the same
  // time.
  using Parts = std::vector<std::function<Bytes()>>;
  // Makes what reads a run, at least one part. May throw: then it is not read ahead.
  using Reader = std::function<Parts(const FrameRun&)>;
  // The bytes of a run, or why there are none.
  struct Fetched {
    std::shared_ptr<const Bytes> bytes;
    std::exception_ptr failure;
  };
  using Use = std::function<void(const FrameRun&, const Fetched&)>;

  // limit: stored bytes that are under way or wait to be used, at one time. One run always may.
  ReadAhead(ThreadPool& io, Reader reader, const std::vector<FrameRun>& runs, std::uint64_t limit);
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  // Waits for what is under way.
  ~ReadAhead();

  // Starts what there is room for.
  void go_ahead();

  // Calls use with the run that holds the frame, at once or by a thread of io when it has arrived. False, and it is not
  // called, where the frame is not read ahead (any more).
  bool take(std::uint64_t pack, std::uint32_t frame, Use use);

  // A whole pack of which nobody has said yet how many of its frames are wanted: waits for it. Nothing where there is
  // none (any more).
  std::optional<Fetched> whole(std::uint64_t pack);
  // So many of its frames will be taken: after the last it need not be held.
  void settle(std::uint64_t pack, std::uint32_t frames);
  // The fetched bytes of the pack are no good: nothing of them will be taken.
  void drop(std::uint64_t pack);

 private:
  struct HeldRun {
    explicit HeldRun(const FrameRun& what) : range(what), left(what.wanted) {}
    FrameRun range;
    std::uint32_t left;  // frames that nobody has taken yet; 0: not known
    enum class State { idle, started, gone } state = State::idle;
    // Shared with the thread that reads.
    struct Arrival {
      std::mutex mutex;
      std::condition_variable changed;
      bool done = false;
      Fetched fetched;
      std::vector<Use> waiting;
    };
    std::shared_ptr<Arrival> arrival;
  };
  static void arrive(HeldRun::Arrival& arrival, const FrameRun& range, Fetched fetched);
  HeldRun* find(std::uint64_t pack, std::uint32_t frame);
  bool start(HeldRun& run);
  bool start_now(HeldRun& run);
  void let_go(HeldRun& run);
  void make_room(const HeldRun& needed);

  ThreadPool& m_io;
  Reader m_reader;
  std::uint64_t m_limit;
  std::uint64_t m_held = 0;
  unsigned m_lost = 0;  // whole packs that had to go before all was taken
  std::vector<HeldRun> m_runs;
  std::size_t m_next = 0;                                                // all before it are started, or gone
  std::deque<std::size_t> m_started;                                     // oldest first
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> m_places;  // by pack, ascending by frame
  std::vector<std::future<void>> m_jobs;
};

}  // namespace cairn
