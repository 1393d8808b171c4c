// Rehearses a restore: of one snapshot, as if everything else were lost, and looks at what came out of it.
//
// Room engine/drill: restores into a directory of its own through engine/restore, has the content checked, and makes
// the record. Writes nothing to any store.
#pragma once

#include "engine/context.hpp"
#include "engine/drill/drill_command.hpp"
#include "engine/drill/drill_comparison.hpp"
#include "repo/drill_record.hpp"
#include "repo/drill_store.hpp"
#include "repo/manifest.hpp"
#include "util/busy_clock.hpp"
#include "util/file.hpp"
#include "util/time.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

struct DrillRequest {
  fs::path scratch;                    // empty, and nobody else's; what is restored goes below it
  fs::path spool;                      // as for a restore
  Nanoseconds listing{};               // what finding the snapshot took
  const BusyClock* reading = nullptr;  // of the store
  std::vector<DrillCommand> commands;
  Nanoseconds timeout = k_drill_timeout;  // of each command
  // Variables that they get, besides where they are.
  std::vector<std::pair<std::string, std::string>> environment;
  std::optional<Nanoseconds> max_recovery;
  DrillLimits limits;
  const DrillRecord* before = nullptr;          // to compare with
  std::map<std::string, std::string> versions;  // of program and libraries
};

// Where in the scratch directory the restored files lie.
fs::path drill_directory(const fs::path& scratch);

// A cause that keeps the snapshot from being restored whole is an outcome, and so is every check that fails. Throws
// what says nothing of the snapshot: StoreError, Error (no key, no space, interrupted).
DrillRecord drill(Context& context, const Manifest& manifest, const DrillRequest& request);

// The record to compare a drill of a snapshot cut at that time with: of the drills that passed, are trusted and can be
// opened, the one whose snapshot comes last before it, or is the same; null: there is none. drills: of one series, in
// any order.
const DrillRecord* last_passed(const std::vector<StoredDrill>& drills, Time cut_point);

// Whether none of the drills, passed or not, that are trusted is younger than that.
bool drill_is_due(const std::vector<StoredDrill>& drills, Nanoseconds every, Time now);

// The checks of that result as one sentence, at most a few of them; empty where there is none.
std::string told_text(const DrillRecord& record, DrillCheck::Result result);

}  // namespace cairn
