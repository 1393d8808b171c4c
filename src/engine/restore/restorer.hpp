// Gets a snapshot back: plan, then execute.
//
// Room engine/restore: from a store onto a file system. Writes to the target and beside it alone, nothing to the store.
// A restore is decided once (restore_planner.hpp gives a PreparedRestore) and carried out as it was decided
// (restore_executor.hpp), into staging; the publisher moves it into place.
#pragma once

#include "capture/sqlite/live_database.hpp"
#include "engine/context.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/restore_executor.hpp"
#include "repo/manifest.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// Where the time of a restore went. Content is fetched, decoded and written side by side: these overlap.
struct RestoreTimes {
  std::chrono::nanoseconds planning{};
  std::chrono::nanoseconds verifying{};   // frames were decoded and held against their digests
  std::chrono::nanoseconds writing{};     // files were written
  std::chrono::nanoseconds publishing{};  // what was written was made durable and moved into place
};

struct RestoreResult {
  std::uint64_t entries = 0;  // in place: without those that the problems name
  std::uint64_t files = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_fetched = 0;
  std::uint64_t bytes_reused = 0;  // of files, that were there: not fetched
  std::uint64_t removed = 0;       // names that the snapshot does not have
  std::uint64_t requests = 0;
  std::chrono::nanoseconds duration{};
  RestoreTimes times;
  std::vector<RestoreProblem> problems;
  std::optional<sqlite::LiveWritten> live;  // where it went into a live database
  fs::path kept;                            // what was there before, where that was asked for; empty: nothing was
};

// With RestoreRequest::whole: the store has lost or damaged content, or a database is broken. Nothing at the target was
// touched.
class NotWhole : public Error {
 public:
  NotWhole(std::string message, std::vector<RestoreProblem> problems)
      : Error(ErrorKind::damaged, std::move(message), "nothing was restored"), m_problems(std::move(problems)) {}
  const std::vector<RestoreProblem>& problems() const noexcept { return m_problems; }

 private:
  std::vector<RestoreProblem> m_problems;
};

// Throws what restore() would throw before it touches anything: bad paths (not_found), a target that is not empty
// (usage), a disk that is too small (failed), an open database (busy). Content that is known to be missing is no error:
// the plan names the packs, and bytes_to_fetch leaves them out.
PreparedRestore plan_restore(Context& context, const Manifest& manifest, const RestoreRequest& request);

// Everything is written beside the target, verified, and moved into place at the end: an exception leaves the target as
// it was, and what was written where the next restore of the snapshot to the same target finds it, if it is worth that:
// then a warning names the place. Files that are damaged in the store, databases that are broken, and entries that the
// target's file system does not take, are left out and named in the result (a snapshot of one file throws
// Error(damaged) instead, and any does with RestoreRequest::whole: NotWhole); damage to the entry list itself throws.
RestoreResult restore(Context& context, const Manifest& manifest, const RestoreRequest& request);

}  // namespace cairn
