// Which packs a new snapshot may lean on: the decisions, apart from what has to be read for them. Pure.
#pragma once

#include "engine/snapshot/lean_policy.hpp"
#include "repo/manifest.hpp"
#include "repo/objects.hpp"
#include "repo/pack.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cairn {

// The questions that can be answered for any pack.
struct PackRules {
  PackThere sealed_alike;  // to those to whom the new snapshot is: a reader of that must be able to read all of it
  PackThere usable;        // there, and to stay
  PackThere may_lean;      // usable, and somebody who may vouches for it

  bool can_lean(const PackRef& ref) const { return sealed_alike(ref) && may_lean(ref); }
  // There is nothing against it but that nobody vouches for it.
  bool lacks_voucher(const PackRef& ref) const { return sealed_alike(ref) && usable(ref) && !may_lean(ref); }
};

// The packs of a snapshot, in order; where one cannot be leaned on, that of another manifest of it with the same
// content, if it can.
std::vector<PackRef> with_spare_packs(const Manifest& previous, const PackRules& rules);

// How much of the previous snapshot may be stored anew. This run's own new bytes are not known yet: they are taken to
// be as many as last time, unless all of it was new then.
LeanPolicy lean_policy_after(const Manifest& previous, std::uint64_t pack_target);

// Of the packs that the policy leans on (a flag each), those that only lack a voucher.
std::vector<PackRef> packs_without_voucher(const std::vector<PackRef>& packs, const std::vector<bool>& lean,
                                           const PackRules& rules);

// How many are sealed to others.
std::size_t count_otherwise_sealed(const std::vector<PackRef>& packs, const PackRules& rules);

}  // namespace cairn
