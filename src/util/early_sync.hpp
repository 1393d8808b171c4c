// Writing out early what a file system was given.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace cairn {

// Has a file system write out what it was given while more comes, so that the sync at the end finds little left to do:
// a thread calls syncfs(2) whenever so many bytes more have come, one call at a time. The thread begins with the first
// of these calls, so that little data takes none. All but finish() may come from any thread.
class EarlySync {
 public:
  static constexpr std::uint64_t k_step = 64ULL << 20;
  // As syncfs(2) does: 0, or -1 and errno.
  using Call = std::function<int(int)>;

  // descriptor: of anything in the file system; outlives this.
  explicit EarlySync(int descriptor, std::uint64_t step = k_step, Call call = {});
  EarlySync(const EarlySync&) = delete;
  EarlySync& operator=(const EarlySync&) = delete;
  // Waits for a call that is under way.
  ~EarlySync() = default;

  // So many bytes more were written.
  void wrote(std::uint64_t bytes);

  // Syncs all that was written before. 0, or errno of whichever call failed: the kernel tells a failure to write only
  // once for each open descriptor, so what an early call was told is not told again at the end.
  int finish();

 private:
  void run(const std::stop_token& stop);
  void sync();

  int m_descriptor;
  std::uint64_t m_step;
  Call m_call;
  std::atomic<std::uint64_t> m_written{0};
  std::atomic<int> m_error{0};
  std::mutex m_mutex;
  std::condition_variable_any m_changed;
  bool m_wanted = false;
  std::jthread m_thread;  // last: it uses all of the above
};

}  // namespace cairn
