// Whether the directories of a target may be written, asked while a restore is planned: nothing is fetched for what
// cannot be moved into place.
#pragma once

#include "engine/restore/mended_directories.hpp"
#include "engine/restore/restore_steps.hpp"
#include "engine/restore/restore_target.hpp"
#include "util/open_directories.hpp"

#include <optional>
#include <string>

namespace cairn {

// Looks only. Entries that follow each other in one directory cost one look at it. One thread. Throws Error(failed)
// for what write_access.hpp refuses.
class PlannedAccess {
 public:
  // Looks at the directory that staging is made in. Only the target itself would be mended, not what it lies in.
  explicit PlannedAccess(const RestoreTarget& target);
  // Asks for the rights that the action needs. RestoreTarget::check_entry() found nothing against the entry.
  void check(const std::string& path, EntryAction action);
  // Something below the target, a directory too, that goes.
  void check_removal(const std::string& path);

 private:
  void check_directory(const std::string& path);
  void check_there(int directory, const std::string& name, const std::string& shown, EntryAction action) const;

  const RestoreTarget& m_target;
  OpenDirectories m_open;                // below the target
  std::optional<std::string> m_checked;  // the directory that was looked at last
};

// Staging is made in the target, where that is a directory: opens one that is read-only even for its owner, who
// restores. What PlannedAccess refuses is refused here, too.
void mend_target(const RestoreTarget& target, MendedDirectories& mended);

}  // namespace cairn
