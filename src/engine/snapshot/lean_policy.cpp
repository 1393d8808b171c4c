#include "engine/snapshot/lean_policy.hpp"

#include "repo/format.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>

namespace cairn {

namespace {

// Packs a snapshot of a source of that size has at most, about; twice the size doubles the packs, not their number.
constexpr std::uint64_t k_packs_per_snapshot = 2048;
// A pack that holds more than this share of a snapshot is not small: it stays, whatever a full pack is by now.
constexpr std::uint64_t k_small_share = 4096;

double alive(const PackRef& pack) {
  return pack.raw_bytes == 0 ? 1.0 : static_cast<double>(pack.live_bytes) / static_cast<double>(pack.raw_bytes);
}

unsigned tier_of(std::uint64_t size) {
  return static_cast<unsigned>(std::bit_width(size) - 1) / 3;
}

std::uint64_t small_pack(const std::vector<PackRef>& previous, const LeanPolicy& policy) {
  std::uint64_t total = 0;
  for (const auto& pack : previous) total += pack.size;
  return std::clamp(total / k_small_share, std::min(k_min_pack_target, policy.pack_target) / 2, policy.pack_target / 2);
}

}  // namespace

std::vector<bool> choose_packs_to_lean_on(const std::vector<PackRef>& previous, const LeanPolicy& policy) {
  std::vector<bool> lean(previous.size(), true);

  std::vector<std::size_t> order(previous.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return alive(previous[a]) < alive(previous[b]); });
  const std::uint64_t small = small_pack(previous, policy);
  std::map<unsigned, std::vector<std::size_t>> tiers;
  for (const auto i : order) {
    if (previous[i].size < small) tiers[tier_of(previous[i].size)].push_back(i);
  }
  for (const auto& [tier, packs] : tiers) {
    if (packs.size() < policy.tier_packs) continue;
    for (std::size_t i = 0; i < policy.tier_packs; ++i) lean[packs[i]] = false;
  }

  std::uint64_t spent = 0;
  for (const auto i : order) {
    if (alive(previous[i]) >= policy.min_alive) break;
    if (!lean[i]) continue;
    if (spent != 0 && spent + previous[i].live_bytes > policy.budget) break;
    spent += previous[i].live_bytes;
    lean[i] = false;
  }
  return lean;
}

std::uint64_t pack_target_for(std::uint64_t source_bytes) {
  const std::uint64_t wanted = std::bit_ceil(std::max<std::uint64_t>(source_bytes / k_packs_per_snapshot, 1));
  return std::clamp(wanted, k_min_pack_target, k_max_pack_target);
}

}  // namespace cairn
