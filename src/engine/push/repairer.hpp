// The repair of damage that verify found, as far as it is possible.
//
// Packs that are damaged are condemned by a mark, so that no snapshot to come leans on them: what they held and the
// source still has is stored again. With another store to take from, its packs with the same content (logical id) are
// copied, and each snapshot that needs a damaged pack gets a second manifest with the same record that names the
// copies. The first stays until prune removes it. A manifest that cannot be read is pushed again and then set aside as
// prune does it: recorded in a mark, then removed.
#pragma once

#include "engine/context.hpp"
#include "engine/verify/verifier.hpp"
#include "util/error.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct RepairRequest {
  std::vector<PackRef> packs;           // damaged or missing, in the store that is repaired
  std::vector<ManifestInfo> manifests;  // that cannot be read, in the store that is repaired
  std::optional<fs::path> spool;        // as for a push
};

struct RepairResult {
  struct Snapshot {
    std::string name;                  // as verify names it
    std::vector<std::string> objects;  // keys of what of it is damaged
    std::uint64_t packs_copied = 0;
    std::optional<Error> failure;  // why it is not whole
  };
  std::uint64_t packs_condemned = 0;
  std::vector<Snapshot> snapshots;  // each that needs something damaged
  // Snapshots that need nothing: another manifest of theirs names no damaged pack. As verify names them.
  std::vector<std::string> whole;
};

// The problems that are still there after the repair: all but those of a damaged pack or manifest whose snapshots are
// whole now, each one, whether it was verified or not.
std::vector<VerifyProblem> problems_left(const VerifyResult& found, const RepairResult& done);

// from: another store, or null: damaged packs are condemned, nothing else. Throws StoreError, Error(interrupted),
// Error(usage) where both are one store. A snapshot that lacks something keeps no other from being repaired.
RepairResult repair(Context& store, Context* from, const RepairRequest& request);

}  // namespace cairn
