// The tree that a restore left in a directory, held against the snapshot's own list of entries.
#pragma once

#include "engine/context.hpp"
#include "repo/drill_record.hpp"
#include "repo/manifest.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace cairn {

struct RestoredFile {
  std::string path;  // in the snapshot
  std::uint64_t size = 0;
  Time mtime;
};

struct RestoredTree {
  std::vector<DrillCheck> checks;  // "tree", "content"
  DrillInventory inventory;
  std::vector<RestoredFile> databases;  // SQLite, in the order of paths
  std::vector<RestoredFile> dumps;      // of a kind that can be looked into
  std::vector<RestoredFile> others;     // of a snapshot of one file, where it is neither
};

// Looks at each entry's type and size, and compares a piece of a few files with what the store has. directory: holds
// what a directory held, or the one file; nobody else may write there. left_out: paths that the restore told of
// already. Throws Error: what keeps it from looking.
RestoredTree survey_restored(Context& context, const Manifest& manifest, const fs::path& directory,
                             const std::set<std::string>& left_out);

// The name of the one file in a snapshot of one.
std::string single_file_name(Context& context, const Manifest& manifest);

}  // namespace cairn
