// One file of a snapshot, by its path.
//
// Room engine/inside: looks into snapshots without restoring them.
#pragma once

#include "repo/manifest.hpp"
#include "repo/tree_index.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace cairn {

// A path as an entry list has it, from one that a user wrote: leading "/" or "./" and trailing "/" are dropped.
// Error(usage) where it is none.
std::string entry_path(std::string_view written);

// Of the file at the path; the only one, without a path, of a snapshot that is a single file. A hard link is what it
// leads to. Throws Error: not_found; usage where it is no file, or where the path is missing; what TreeIndex does.
IndexedEntry find_file(const TreeIndex& index, const Manifest& manifest, const std::optional<std::string>& path);

}  // namespace cairn
