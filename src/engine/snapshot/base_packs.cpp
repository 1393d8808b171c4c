#include "engine/snapshot/base_packs.hpp"

#include "codec/digest.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace cairn {

std::vector<PackRef> with_spare_packs(const Manifest& previous, const PackRules& rules) {
  std::vector<PackRef> packs = previous.packs;
  if (previous.spare_packs.empty()) return packs;
  std::unordered_multimap<Digest, const PackRef*, DigestHash> spares;
  for (const auto& spare : previous.spare_packs) {
    if (rules.can_lean(spare)) spares.emplace(spare.logical_id, &spare);
  }
  for (auto& ref : packs) {
    const auto spare = rules.can_lean(ref) ? spares.end() : spares.find(ref.logical_id);
    if (spare == spares.end()) continue;
    PackRef other = *spare->second;
    other.raw_bytes = ref.raw_bytes;
    other.live_bytes = ref.live_bytes;
    ref = std::move(other);
  }
  return packs;
}

LeanPolicy lean_policy_after(const Manifest& previous, std::uint64_t pack_target) {
  LeanPolicy policy;
  policy.pack_target = pack_target;
  const bool first = previous.record.sequence <= 1;
  policy.budget = std::max(first ? 0 : previous.facts.stats.new_bytes, pack_target);
  return policy;
}

std::vector<PackRef> packs_without_voucher(const std::vector<PackRef>& packs, const std::vector<bool>& lean,
                                           const PackRules& rules) {
  std::vector<PackRef> out;
  for (std::size_t i = 0; i < packs.size(); ++i) {
    if (lean[i] && rules.lacks_voucher(packs[i])) out.push_back(packs[i]);
  }
  return out;
}

std::size_t count_otherwise_sealed(const std::vector<PackRef>& packs, const PackRules& rules) {
  return static_cast<std::size_t>(
      std::count_if(packs.begin(), packs.end(), [&](const PackRef& ref) { return !rules.sealed_alike(ref); }));
}

}  // namespace cairn
