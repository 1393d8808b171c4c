#include "engine/snapshot/base_packs.hpp"

#include <set>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

PackRef pack(const std::string& name, const std::string& content) {
  PackRef ref;
  ref.name = sha256(name);
  ref.logical_id = sha256(content);
  ref.seal = "none";
  ref.raw_bytes = 100;
  ref.live_bytes = 90;
  return ref;
}

// Rules by name.
struct Known {
  std::set<Digest> there;
  std::set<Digest> vouched;

  PackRules rules() const {
    return {.sealed_alike = [](const PackRef& ref) { return ref.seal == "none"; },
            .usable = [this](const PackRef& ref) { return there.contains(ref.name); },
            .may_lean = [this](const PackRef& ref) { return there.contains(ref.name) && vouched.contains(ref.name); }};
  }
};

}  // namespace

TEST_CASE("base packs: a pack that cannot be leaned on gives way to one with the same content that can") {
  Manifest previous;
  previous.packs = {pack("a", "A"), pack("b", "B"), pack("c", "C")};
  previous.spare_packs = {pack("a2", "A"), pack("b2", "B"), pack("b3", "B"), pack("c2", "C")};
  previous.spare_packs[1].raw_bytes = 7;
  for (auto& spare : previous.spare_packs) spare.raw_bytes = spare.live_bytes = 7;
  Known known;
  known.there = known.vouched = {sha256("a"), sha256("a2"), sha256("b2")};
  const auto packs = with_spare_packs(previous, known.rules());
  REQUIRE(packs.size() == 3);
  CHECK(packs[0].name == sha256("a"));   // good as it is
  CHECK(packs[1].name == sha256("b2"));  // b3 is not there
  CHECK(packs[1].logical_id == sha256("B"));
  // The advice is that of the snapshot.
  CHECK(packs[1].raw_bytes == 100);
  CHECK(packs[1].live_bytes == 90);
  CHECK(packs[2].name == sha256("c"));  // neither
}

TEST_CASE("base packs: only what is leaned on, is there, and is sealed alike wants a voucher") {
  Known known;
  known.there = {sha256("a"), sha256("b"), sha256("d"), sha256("e")};
  known.vouched = {sha256("b")};
  std::vector<PackRef> packs{pack("a", "A"), pack("b", "B"), pack("c", "C"), pack("d", "D"), pack("e", "E")};
  packs[4].seal = "age";
  const auto wanting = packs_without_voucher(packs, {true, true, true, false, true}, known.rules());
  REQUIRE(wanting.size() == 1);
  CHECK(wanting[0].name == sha256("a"));
  CHECK(count_otherwise_sealed(packs, known.rules()) == 1);
  CHECK_FALSE(known.rules().can_lean(packs[0]));
  CHECK(known.rules().can_lean(packs[1]));
}

TEST_CASE("base packs: as much may be stored anew as was new last time, and a pack at least") {
  Manifest previous;
  previous.facts.stats.new_bytes = 1000;
  previous.record.sequence = 2;
  CHECK(lean_policy_after(previous, 100).budget == 1000);
  CHECK(lean_policy_after(previous, 5000).budget == 5000);
  CHECK(lean_policy_after(previous, 5000).pack_target == 5000);
  // All of it was new in the first one.
  previous.record.sequence = 1;
  CHECK(lean_policy_after(previous, 100).budget == 100);
}
