// A restore that was decided: what it takes, what it fetches, and every step of it. Made once (restore_planner.hpp),
// then printed, or carried out as it is (restore_executor.hpp).
#pragma once

#include "engine/restore/live_estimate.hpp"
#include "engine/restore/local_files.hpp"
#include "engine/restore/owner_numbers.hpp"
#include "engine/restore/path_selection.hpp"
#include "engine/restore/restore_estimate.hpp"
#include "engine/restore/restore_steps.hpp"
#include "repo/fetch_plan.hpp"
#include "util/file.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

class FallbackPacks;
class PackSource;
class TargetMemory;

struct RestoreRequest {
  fs::path target = {};
  std::vector<std::string> paths =
      {};  // entries or patterns (and what is below them); none: everything. See PathChoice
  bool overwrite = false;
  bool swap = false;                                      // and that as a whole: a directory by one exchange
  bool keep_old = false;                                  // what is replaced gets the name TARGET.before-ID
  bool check = true;                                      // databases, before they are moved into place
  bool live = false;                                      // into a database that others use
  bool whole = false;                                     // all of its content, or nothing: NotWhole else
  bool in_place = false;                                  // what is at the target becomes equal to the snapshot
  bool remove = false;                                    // with in_place: what the snapshot lacks goes
  bool discard = false;                                   // what interrupted restores left is not used, and goes
  std::vector<fs::path> seeds = {};                       // files and trees whose content may be used
  std::chrono::nanoseconds grace = std::chrono::days{7};  // prune's: a longer restore is warned of
  std::uint64_t stripe = 1ULL << 30;                      // so much of a large file is brought into order at a time
  // Where steps wait that are too many for memory; empty: the directory for temporary files. Where nothing can be
  // written there, the target's file system.
  fs::path spool = {};
  std::vector<std::string> literal_paths = {};  // the same as paths, but never patterns
  std::vector<std::string> excludes = {};       // patterns
  Owners owners = Owners::by_name;
  // Stands in for the store's packs, and for those of others where it has lost them; null: there are no others.
  FallbackPacks* fallback = nullptr;
  // A database stays where it is as long as the logs beside it have no bytes: whoever read it left them, or died.
  bool empty_logs_stay = false;
  // All packs are read by it; null: by fallback, else by the store itself.
  PackSource* packs = nullptr;
  // Of who restores there again and again; null: nothing is known.
  TargetMemory* memory = nullptr;

  PathChoice choice() const { return {paths, literal_paths, excludes}; }
};

// A pack that a restore would read in vain: files that need it would be left out.
struct UnreadablePack {
  std::string message;             // names it, and why
  std::uint64_t files = 0;         // that need it; 0: not known
  std::vector<std::string> named;  // the first of them, at most k_named

  static constexpr std::size_t k_named = 1000;
};

// A restore in numbers.
struct RestoreFigures {
  std::uint64_t entries = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;           // of files, holes included; at most 2^53-1
  std::uint64_t space = 0;           // that they take, which is less where they have holes
  std::uint64_t inodes = 0;          // that staging makes
  std::uint64_t bytes_to_fetch = 0;  // stored bytes
  std::uint64_t bytes_to_reuse = 0;  // that local files have, those that stay as they are included
  std::uint64_t to_create = 0;       // entries, by what becomes of them
  std::uint64_t to_change = 0;
  std::uint64_t to_keep = 0;
  std::uint64_t metadata_only = 0;
  std::uint64_t to_remove = 0;  // names at the target that the snapshot does not have
  std::uint64_t requests = 0;
  std::uint64_t packs = 0;
  bool single_file = false;
  bool in_place = false;  // into something that is there
  std::string left;       // what an interrupted restore left and this one goes on from: its path; empty: nothing
  RestoreEstimate estimate;
  std::optional<LiveEstimate> live = {};
  // Packs that the store does not have with their right size, and those whose directories cannot be read.
  std::vector<UnreadablePack> unreadable;
};

struct PreparedRestore {
  RestoreFigures figures;
  FetchPlan fetch;     // of content, in the order of the steps
  RestoreSteps steps;  // of every entry that is restored
  // The local files that the steps take from; null where they take nothing.
  std::unique_ptr<LocalFiles> local = nullptr;
};

}  // namespace cairn
