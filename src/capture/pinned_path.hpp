// From a path that somebody named to an open directory and a name in it, once: whatever is renamed or exchanged on the
// way later leads nowhere else.
#pragma once

#include "util/file.hpp"

#include <string>

#include <sys/stat.h>

namespace cairn {

struct PinnedPath {
  UniqueFd directory;  // O_PATH; of the last component
  std::string name;    // the last component; "." of the root directory
  fs::path real;       // absolute, no symbolic link in it
  struct stat status {};
};

// Follows symbolic links as the kernel does, with one difference: a link that belongs to an ordinary user (neither root
// nor this process's) leads to his own files alone. Else whoever owns a directory on the way could have another's file
// taken for his. Throws SourceError(failed).
PinnedPath pin_path(const fs::path& path);

}  // namespace cairn
