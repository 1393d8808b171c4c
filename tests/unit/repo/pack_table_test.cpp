#include "repo/pack_table.hpp"

#include "codec/digest.hpp"
#include "unit/support.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

PackRef pack_of(const std::string& name, const Digest& logical_id) {
  PackRef ref;
  ref.name = sha256(name);
  ref.logical_id = logical_id;
  return ref;
}

}  // namespace

TEST_CASE("pack table: of several snapshots, each pack once, and copies of it as spares") {
  Manifest first;
  first.packs = {pack_of("a", sha256("A")), pack_of("b", sha256("B"))};
  Manifest second;
  second.packs = {pack_of("b", sha256("B")), pack_of("other a", sha256("A")), pack_of("c", sha256("C"))};
  second.spare_packs = {pack_of("third a", sha256("A"))};
  const std::vector<const Manifest*> both{&first, &second};
  const auto table = PackTable::of(both);
  REQUIRE(table);
  CHECK(table->all().size() == 3);
  CHECK(table->find(first.packs[0].prefix()).name == sha256("a"));
  CHECK(table->find(second.packs[2].prefix()).name == sha256("c"));
  CHECK(table->spares(first.packs[0]).size() == 2);
  CHECK(table->spares(first.packs[1]).empty());
  CHECK(test::failure_of([&] { table->find(1); }) == ErrorKind::damaged);
}

TEST_CASE("pack table: none of snapshots in which one name means two packs") {
  const Digest one = sha256("A");
  std::string hex = one.hex();
  hex.back() = hex.back() == '0' ? '1' : '0';
  Manifest first;
  first.packs = {pack_of("a", one)};
  Manifest second;
  second.packs = {pack_of("b", Digest::parse(hex).value())};
  REQUIRE(first.packs[0].prefix() == second.packs[0].prefix());
  const std::vector<const Manifest*> both{&first, &second};
  CHECK(!PackTable::of(both));
}
