// How what is at a name of the target differs from an entry, but for the content of files.
#pragma once

#include "engine/restore/local_files.hpp"
#include "engine/restore/restore_target.hpp"
#include "repo/entry.hpp"
#include "util/open_directories.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <sys/stat.h>

namespace cairn {

struct EntryState {
  struct stat status {};
  // The same type; of a symbolic link the same text, of a device the same number.
  bool same_kind = false;
  // Owner, mode, times and extended attributes.
  bool same_metadata = false;
  // A database that has a log beside it: its bytes alone are not its state.
  bool has_log = false;
  // And one of its logs has bytes.
  bool has_log_bytes = false;
};

// One thread. The target exists and outlives it.
class TargetState {
 public:
  explicit TargetState(const RestoreTarget& target);

  // Nothing where nothing has the name, or that cannot be found out. Symbolic links are not followed, on the way to the
  // name neither. The entry's owners are this host's.
  std::optional<EntryState> look(const Entry& entry);
  // The path of the entry below target.directory().
  std::string path_of(const Entry& entry) const;

 private:
  const RestoreTarget& m_target;
  OpenDirectories m_open;
};

}  // namespace cairn
