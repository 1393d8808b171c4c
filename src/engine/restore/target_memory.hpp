// What is known of a target since it was restored to last. Whoever restores to one target again and again
// (engine/follow) implements it; a restore asks it while it plans, and tells it what it does.
#pragma once

#include "engine/restore/known_extents.hpp"
#include "engine/restore/local_files.hpp"
#include "engine/restore/restore_executor.hpp"
#include "engine/restore/restore_target.hpp"
#include "repo/entry.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// A file that nobody has touched as long as it has that stamp.
struct KnownFile {
  FileStamp stamp;
  std::shared_ptr<const KnownExtents> extents;  // its content
};

// Calls come in the order in which they stand here, by the thread of the restore. Each may throw, which ends it.
class TargetMemory {
 public:
  TargetMemory() = default;
  TargetMemory(const TargetMemory&) = delete;
  TargetMemory& operator=(const TargetMemory&) = delete;
  virtual ~TargetMemory() = default;

  // Of a target that is one file: the file that was in its place before, which was left in staging.
  virtual std::optional<KnownFile> replaced() = 0;

  // Planning begins, perhaps once more: what was planned before is void. Then for each entry that is restored, in the
  // order of the list, at_target() where it is a file, and plan_entry().
  virtual void begin_plan() = 0;
  // The file as the last restore left it at the target.
  virtual std::optional<KnownFile> at_target(const std::string& path) = 0;
  // extents: of a file; nothing where they are not known.
  virtual void plan_entry(const Entry& entry, const std::optional<KnownExtents>& extents) = 0;

  // All is decided, and nothing has been written.
  virtual void check_plan(PreparedRestore& plan, const RestoreTarget& target) = 0;
  // All is staged, and nothing has been moved. left_out: what would not be in place.
  virtual void check_staged(PreparedRestore& plan, const RestoreTarget& target,
                            const std::vector<RestoreProblem>& left_out) = 0;
  // All is in place and durable. replaced: the file that was there before, where it was left in staging.
  virtual void published(PreparedRestore& plan, const RestoreTarget& target,
                         const std::optional<struct stat>& replaced) = 0;
};

}  // namespace cairn
