// Gets a snapshot back: plan, then execute.
//
// Room engine/restore: from a store onto a file system. Writes to the target and beside it alone, nothing to the store.
#pragma once

#include "engine/context.hpp"
#include "engine/restore/restore_estimate.hpp"
#include "repo/manifest.hpp"
#include "util/file.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace cairn {

struct RestoreRequest {
  fs::path target;
  std::vector<std::string> paths;  // entries (and what is below them); empty: everything
  bool overwrite = false;
  std::chrono::nanoseconds grace = std::chrono::days{7};  // prune's: a longer restore is warned of
  std::uint64_t stripe = 1ULL << 30;                      // so much of a large file is brought into order at a time
};

// A pack that a restore would read in vain: files that need it would be left out.
struct UnreadablePack {
  std::string message;      // names it, and why
  std::uint64_t files = 0;  // that need it; 0: not known
};

// What a restore would do. Made from the manifest, the entry list and directories, and a look at the target.
struct RestorePlan {
  std::uint64_t entries = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;           // of files, holes included; at most 2^53-1
  std::uint64_t space = 0;           // that they take, which is less where they have holes
  std::uint64_t bytes_to_fetch = 0;  // stored bytes
  std::uint64_t requests = 0;
  std::uint64_t packs = 0;
  bool single_file = false;
  RestoreEstimate estimate;
  // Packs that the store does not have with their right size, and those whose directories cannot be read.
  std::vector<UnreadablePack> unreadable;
};

// A file whose stored content is damaged. It is left out; the rest is restored.
struct RestoreProblem {
  std::string path;
  std::string message;
};

struct RestoreResult {
  std::uint64_t entries = 0;  // in place: without those that the problems name
  std::uint64_t files = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_fetched = 0;
  std::uint64_t bytes_reused = 0;
  std::uint64_t requests = 0;
  std::chrono::nanoseconds duration{};
  std::vector<RestoreProblem> problems;
};

// Throws what restore() would throw before it touches anything: bad paths (not_found), a target that is not empty
// (usage), a disk that is too small (failed), an open database (busy). Content that is known to be missing is no error:
// the plan names the packs, and bytes_to_fetch leaves them out.
RestorePlan plan_restore(Context& context, const Manifest& manifest, const RestoreRequest& request);

// Everything is written beside the target, verified, and moved into place at the end: an exception leaves the target
// as it was. Files that are damaged in the store are left out and named in the result (a snapshot of one file throws
// Error(damaged) instead); damage to the entry list itself throws.
RestoreResult restore(Context& context, const Manifest& manifest, const RestoreRequest& request);

}  // namespace cairn
