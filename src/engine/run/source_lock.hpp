// Keeps two runs of one source on this host apart. A courtesy: the store is right without it, but both would read the
// source, and each would wait for the other's uploads.
#pragma once

#include "engine/run/run_host.hpp"
#include "engine/run/snapshot_job.hpp"
#include "util/lock_file.hpp"

#include <optional>

namespace cairn {

enum class LockWait { no, yes };

// Holds the lock of a job's series in RunHost::locks(), until it goes or the process dies. Where there is no place for
// locks, or the file system knows none, the run goes on without, with a warning.
class SourceLock {
 public:
  // Waits for whoever has it, which the listener is told once. Error(busy) without LockWait::yes; Error(interrupted).
  SourceLock(RunHost& host, RunListener& listener, const SnapshotJob& job, const JobOutcome& outcome, LockWait wait);

 private:
  std::optional<LockFile> m_file;
};

}  // namespace cairn
