// Which packs of the series' previous snapshot a new one refers to, and which it stores anew, so that space and
// locality stay bounded without ever repacking. Pure.
#pragma once

#include "repo/pack.hpp"

#include <cstdint>
#include <vector>

namespace cairn {

struct LeanPolicy {
  double min_alive = 0.4;         // a pack less alive than this is a candidate for being stored anew
  std::uint64_t budget = 0;       // raw bytes that may be stored anew for that reason
  std::uint64_t pack_target = 0;  // stored bytes of a full pack; small ones, under half of it, merge in tiers
  unsigned tier_packs = 12;       // so many small packs of a tier merge into one
};

// One flag a pack, in order: true where the snapshot leans on it. Candidates go worst first while the budget lasts; at
// least one goes if there is any (a budget below one pack would never move). Tiers: floor(log8(stored size)); of each
// one group at a time, and of a large snapshot only packs that hold less than a 4096th of it, so that no run stores
// everything anew because full packs are larger than they were.
std::vector<bool> choose_packs_to_lean_on(const std::vector<PackRef>& previous, const LeanPolicy& policy);

// The size a pack should have so that a source of that many bytes needs a bounded number of them.
std::uint64_t pack_target_for(std::uint64_t source_bytes);

}  // namespace cairn
