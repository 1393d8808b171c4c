#include "engine/run/source_lock.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::chrono::milliseconds k_pause{200};

struct Attempt {
  std::optional<LockFile> file;  // nothing, and a warning was given: there is no place for locks
  bool locked = false;
};

Attempt try_to_lock(RunHost& host, const SnapshotJob& job) {
  const fs::path directory = host.locks();
  std::string cause = "this host has no place for its state";
  try {
    if (!directory.empty()) {
      Attempt attempt;
      attempt.file.emplace(directory / (job.series + ".lock"));
      attempt.locked = attempt.file->try_lock();
      return attempt;
    }
  } catch (const Error& e) {
    cause = e.message();
  }
  host.reporter().warning(
      fmt::format("another run of source {} at the same time would not be noticed: {}", quote(job.name), cause));
  return {};
}

}  // namespace

SourceLock::SourceLock(RunHost& host, RunListener& listener, const SnapshotJob& job, const JobOutcome& outcome,
                       LockWait wait) {
  Attempt attempt = try_to_lock(host, job);
  if (!attempt.file) return;
  m_file.emplace(std::move(*attempt.file));
  if (attempt.locked) return;
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
