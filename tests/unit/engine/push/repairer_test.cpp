#include "engine/push/repairer.hpp"

#include "engine/push/pusher.hpp"
#include "engine/verify/verifier.hpp"
#include "repo/layout.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/signing.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("repairer: a manifest that asks for a feature that is not known is not written again; others are") {
  MemoryStore store;
  MemoryStore other;
  EngineFixture fixture{store};
  EngineFixture from{other};
  const PackRef pack = from.put_pack({"content"});
  from.put_manifest("s", store.now(), {pack});
  from.put_manifest("t", store.now(), {pack});
  push(from.context, fixture.context, {});
  const ManifestInfo known = fixture.repository.manifests().list("s").front();
  const ManifestInfo info = fixture.repository.manifests().list("t").front();
  Manifest later = fixture.repository.manifests().load(info);
  SUBCASE("to be written after") {
    later.requirements.write = {"frob"};
  }
  SUBCASE("to be pruned beside") {
    later.requirements.prune = {"frob"};
  }
  store.erase(info.key);
  fixture.repository.manifests().store(later);

  RepairRequest request;
  request.packs = fixture.repository.manifests().load(known).packs;
  store.erase(layout::pack_key(request.packs.front().name));
  const RepairResult result = repair(fixture.context, &from.context, request);
  REQUIRE(result.snapshots.size() == 2);
  for (const auto& snapshot : result.snapshots) {
    const bool needs_feature = snapshot.name.find(later.id.short_hex().substr(0, 8)) != std::string::npos;
    CAPTURE(snapshot.name);
    REQUIRE(snapshot.failure.has_value() == needs_feature);
    if (snapshot.failure) CHECK(snapshot.failure->message().find("needs the feature 'frob'") != std::string::npos);
  }
  CHECK(fixture.repository.manifests().list("s").size() == 2);
  CHECK(fixture.repository.manifests().list("t").size() == 1);
}

namespace {

std::string put_signed(EngineFixture& fixture, const std::string& series, const PackRef& pack) {
  Manifest manifest = EngineFixture::make_manifest(series, fixture.repository.store().now(), {pack});
  sign(manifest);
  return fixture.repository.manifests().store(manifest);
}

// Puts the objects of one store, while they are whole, into another one.
void copy_store(MemoryStore& from, MemoryStore& to) {
  for (const auto& [key, object] : from.objects()) {
    if (!key.starts_with("config/")) to.put(key, ObjectBody::from_memory(object.bytes));
  }
}

VerifyResult find_damage(EngineFixture& fixture) {
  VerifyRequest request;
  request.manifests = fixture.repository.manifests().list();
  return verify(fixture.context, request);
}

RepairResult repair_found(EngineFixture& fixture, EngineFixture& from, const VerifyResult& found) {
  RepairRequest request;
  request.packs = found.damaged_packs;
  request.manifests = found.damaged_manifests;
  return repair(fixture.context, &from.context, request);
}

const RepairResult::Snapshot& of_series(const RepairResult& result, const std::string& series) {
  const auto found = std::find_if(result.snapshots.begin(), result.snapshots.end(),
                                  [&](const auto& item) { return item.name.starts_with(series + "@"); });
  REQUIRE(found != result.snapshots.end());
  return *found;
}

}  // namespace

TEST_CASE("repairer: a damaged manifest that the other store does not vouch for keeps no other from being repaired") {
  MemoryStore store;
  MemoryStore other;
  EngineFixture fixture{store, {}, "host", {}, trusting_author()};
  EngineFixture from{other, {}, "host", {}, trusting_author()};
  const PackRef pack = from.put_pack({"content"});
  const std::string forged = from.put_manifest("a", store.now(), {pack});
  const std::string damaged_there = put_signed(from, "b", pack);
  const std::string whole_there = put_signed(from, "c", pack);
  copy_store(other, store);
  for (const auto& key : {forged, damaged_there, whole_there}) store.overwrite(key, "damage");
  // Its head is as it was.
  std::string text{as_text(other.objects().at(damaged_there).bytes)};
  text.back() = ' ';
  other.overwrite(damaged_there, text);

  const VerifyResult found = find_damage(fixture);
  REQUIRE(found.damaged_manifests.size() == 3);
  const RepairResult done = repair_found(fixture, from, found);
  REQUIRE(done.snapshots.size() == 3);
  REQUIRE(of_series(done, "a").failure);
  CHECK(of_series(done, "a").failure->kind() == ErrorKind::untrusted);
  REQUIRE(of_series(done, "b").failure);
  CHECK(of_series(done, "b").failure->kind() == ErrorKind::damaged);
  CHECK_FALSE(of_series(done, "c").failure);
  const auto left = problems_left(found, done);
  REQUIRE(left.size() == 2);
  CHECK(left[0].object == forged);
  CHECK(left[1].object == damaged_there);
  CHECK(find_damage(fixture).problems.size() == 2);
}

TEST_CASE("repairer: a problem is left where nothing accounts for it") {
  MemoryStore store;
  MemoryStore other;
  EngineFixture fixture{store, {}, "host", {}, trusting_author()};
  EngineFixture from{other, {}, "host", {}, trusting_author()};
  const PackRef shared = from.put_pack({"shared"});
  const PackRef alone = from.put_pack({"alone"});
  put_signed(from, "s", shared);
  from.put_manifest("u", store.now(), {alone});
  copy_store(other, store);
  SUBCASE("a pack that only a snapshot which is not trusted needs") {
    store.erase(layout::pack_key(alone.name));
    const VerifyResult found = find_damage(fixture);
    const RepairResult done = repair_found(fixture, from, found);
    REQUIRE(of_series(done, "u").failure);
    CHECK(of_series(done, "u").failure->kind() == ErrorKind::untrusted);
    REQUIRE(problems_left(found, done).size() == 1);
    CHECK(problems_left(found, done)[0].object == layout::pack_key(alone.name));
  }
  SUBCASE("a pack that such a snapshot needs beside the one that was verified") {
    from.put_manifest("u", store.now(), {shared});
    copy_store(other, store);
    store.erase(layout::pack_key(shared.name));
    VerifyRequest request;
    request.manifests = fixture.repository.manifests().list("s");
    const VerifyResult found = verify(fixture.context, request);
    REQUIRE(found.problems.size() == 1);
    const RepairResult done = repair_found(fixture, from, found);
    CHECK_FALSE(of_series(done, "s").failure);
    REQUIRE(problems_left(found, done).size() == 1);
    CHECK(problems_left(found, done)[0].object == layout::pack_key(shared.name));
  }
  SUBCASE("nothing is, of a pack that was copied") {
    store.erase(layout::pack_key(shared.name));
    const VerifyResult found = find_damage(fixture);
    REQUIRE(found.problems.size() == 1);
    CHECK(problems_left(found, repair_found(fixture, from, found)).empty());
  }
  SUBCASE("an object that no snapshot needs, beside one that is repaired") {
    store.erase(layout::pack_key(shared.name));
    VerifyResult found = find_damage(fixture);
    found.problems.push_back({"marks/damaged", "damaged mark", {}});
    const auto left = problems_left(found, repair_found(fixture, from, found));
    REQUIRE(left.size() == 1);
    CHECK(left[0].object == "marks/damaged");
  }
  SUBCASE("an entry list that is wrong in a manifest that can be read") {
    store.erase(layout::pack_key(shared.name));
    VerifyResult found = find_damage(fixture);
    const auto info = fixture.repository.manifests().list("s").front();
    found.problems.push_back({info.key, "damaged entry list", {snapshot_name(info)}});
    const auto left = problems_left(found, repair_found(fixture, from, found));
    REQUIRE(left.size() == 1);
    CHECK(left[0].object == info.key);
  }
}
