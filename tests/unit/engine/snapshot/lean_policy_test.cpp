#include "engine/snapshot/lean_policy.hpp"

#include "repo/format.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

constexpr std::uint64_t k_mib = 1 << 20;

PackRef pack(std::uint64_t size, double alive) {
  PackRef ref;
  ref.size = size;
  ref.raw_bytes = 2 * size;
  ref.live_bytes = static_cast<std::uint64_t>(static_cast<double>(ref.raw_bytes) * alive);
  return ref;
}

LeanPolicy policy(std::uint64_t budget) {
  LeanPolicy made;
  made.budget = budget;
  made.pack_target = 16 * k_mib;
  return made;
}

}  // namespace

TEST_CASE("packs in use are leaned on, dying ones are stored again, the worst first and within the budget") {
  const std::vector<PackRef> packs{pack(16 * k_mib, 1.0), pack(16 * k_mib, 0.39), pack(16 * k_mib, 0.41),
                                   pack(16 * k_mib, 0.1), pack(16 * k_mib, 0.2)};
  using Lean = std::vector<bool>;
  CHECK(choose_packs_to_lean_on(packs, policy(1ULL << 40)) == Lean{true, false, true, false, false});
  // The worst costs 3.2 MiB, the next 6.4, the third 12.5.
  CHECK(choose_packs_to_lean_on(packs, policy(10 * k_mib)) == Lean{true, true, true, false, false});
  CHECK(choose_packs_to_lean_on(packs, policy(9 * k_mib)) == Lean{true, true, true, false, true});
  CHECK(choose_packs_to_lean_on(packs, policy(0)) == Lean{true, true, true, false, true});
  CHECK(choose_packs_to_lean_on({}, policy(0)).empty());
}

TEST_CASE("a pack of which the record does not say how much is in use counts as whole") {
  PackRef unknown;
  unknown.size = 16 * k_mib;
  CHECK(choose_packs_to_lean_on({unknown}, policy(1ULL << 40)) == std::vector<bool>{true});
}

TEST_CASE("a tier of twelve small packs merges, packs of another size stay") {
  std::vector<PackRef> packs(11, pack(40'000, 1.0));
  packs.push_back(pack(8 * k_mib, 1.0));  // half of the target: not small
  packs.push_back(pack(300'000, 1.0));
  auto lean = choose_packs_to_lean_on(packs, policy(0));
  CHECK(std::count(lean.begin(), lean.end(), false) == 0);

  packs.push_back(pack(250'000, 1.0));  // 32768 to 262143 is one tier
  lean = choose_packs_to_lean_on(packs, policy(0));
  CHECK(std::count(lean.begin(), lean.end(), false) == 12);
  CHECK(lean[11]);
  CHECK(lean[12]);
  CHECK_FALSE(lean[13]);
}

TEST_CASE("of a tier one group merges at a time, what is least in use first") {
  std::vector<PackRef> packs(30, pack(40'000, 1.0));
  for (std::size_t i = 18; i < packs.size(); ++i) packs[i] = pack(40'000, 0.5);
  const auto lean = choose_packs_to_lean_on(packs, policy(0));
  CHECK(std::count(lean.begin(), lean.end(), false) == 12);
  CHECK(std::count(lean.begin() + 18, lean.end(), false) == 12);
}

TEST_CASE("packs that were full when they were written stay when full packs have grown") {
  // A stream of 100 GB, of which the first run knew no size.
  LeanPolicy larger = policy(0);
  larger.pack_target = 64 * k_mib;
  std::vector<PackRef> packs(256, pack(16 * k_mib, 1.0));
  auto lean = choose_packs_to_lean_on(packs, larger);
  CHECK(std::count(lean.begin(), lean.end(), false) == 0);
  // Of ten thousand of them some merge in each run.
  packs.resize(10'000, pack(16 * k_mib, 1.0));
  lean = choose_packs_to_lean_on(packs, larger);
  CHECK(std::count(lean.begin(), lean.end(), false) == 12);
}

TEST_CASE("packs grow with the source by powers of two, within bounds") {
  CHECK(pack_target_for(0) == k_min_pack_target);
  CHECK(pack_target_for(32ULL << 30) == k_min_pack_target);
  CHECK(pack_target_for((32ULL << 30) + 2048) == 2 * k_min_pack_target);
  CHECK(pack_target_for(100'000'000'000) == 64 * k_mib);
  CHECK(pack_target_for(1ULL << 50) == k_max_pack_target);
}
