#include "engine/run/source_lock.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <chrono>
#include <thread>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::chrono::milliseconds k_pause{200};

// Nothing, with a warning, where it cannot be had; locked: whether it is ours now.
std::optional<LockFile> open_lock(RunHost& host, const SnapshotJob& job, bool& locked) {
  const fs::path directory = host.locks();
  std::string cause = "this host has no place for its state";
  try {
    if (!directory.empty()) {
      std::optional<LockFile> file{std::in_place, directory / (job.series + ".lock")};
      locked = file->try_lock();
      return file;
    }
  } catch (const Error& e) {
    cause = e.message();
  }
  host.reporter().warning(
      fmt::format("another run of source {} at the same time would not be noticed: {}", quote(job.name), cause));
  return std::nullopt;
}

}  // namespace

SourceLock::SourceLock(RunHost& host, RunListener& listener, const SnapshotJob& job, const JobOutcome& outcome,
                       LockWait wait) {
  bool locked = false;
  m_file = open_lock(host, job, locked);
  if (!m_file || locked) return;
  const auto holder = m_file->holder();
  if (wait == LockWait::no) {
    throw Error(ErrorKind::busy,
                fmt::format("another run has source {} now{}", quote(job.name),
                            holder ? fmt::format(" (process {})", *holder) : std::string{}),
                "without --no-wait it is waited for");
  }
  listener.waiting(outcome, holder);
  while (!m_file->try_lock()) {
    check_interrupted();
    std::this_thread::sleep_for(k_pause);
  }
}

}  // namespace cairn
