// Whether a directory can give way as a whole.
#pragma once

#include "util/file.hpp"

#include <cstddef>
#include <vector>

namespace cairn {

// Walks the open directory, following no link. Throws Error(busy) where a process has a file of it open or in its
// memory, or has its working directory or its root in it, naming program, process and path; Error(failed) where
// something is mounted in it, or a subvolume begins there: that would go with the old directory; Error(usage) where one
// of our own places lies in it (the store that is read, the spool). Returns how many processes this user may not look
// at. Changes nothing. Memory: what all processes hold, and the directories still to be read.
std::size_t require_unused_tree(int directory, const fs::path& shown, const std::vector<fs::path>& own = {});

}  // namespace cairn
