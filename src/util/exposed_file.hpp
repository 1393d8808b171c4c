// Whether others than its owner can change what a file says: for files whose content this program obeys.
#pragma once

#include "util/file.hpp"

#include <optional>
#include <string>

#include <sys/types.h>

namespace cairn {

// Why somebody beside root and `trusted` can change the file, or put another one at its path: "'/etc/x' belongs to user
// 1000", "'/srv' can be written by others". The file itself, every directory above it and every symbolic link on the
// way are looked at; what is on a read-only mount cannot be changed, and in a sticky directory nobody moves what is not
// his. Nothing where nobody can, where it is no file of a file system (a pipe that was inherited, /dev/null), and where
// it is not there.
std::optional<std::string> who_else_changes(const fs::path& file, uid_t trusted);

}  // namespace cairn
