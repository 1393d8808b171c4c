#include "cli/snapshot_choice.hpp"

#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/signing.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::test;
using namespace std::chrono_literals;

namespace {

// Two snapshots of a series. Of the newer there are two manifests, the first and one that came to the store later.
struct Scene {
  MemoryStore store;
  EngineFixture engine;
  Manifest older;
  Manifest newer;
  std::string older_key;
  std::string first_key;
  std::string later_key;

  enum class Signed { none, first, later, both };
  explicit Scene(Signed which = Signed::none, TrustPolicy trust = {})
      : engine{store, {}, "host", {}, std::move(trust)} {
    const bool signs = which != Signed::none;
    older = EngineFixture::make_manifest("s", store.now(), {engine.put_pack({"older"})});
    older_key = put(older, signs);
    newer = EngineFixture::make_manifest("s", store.now(), {engine.put_pack({"newer"})}, 2);
    first_key = put(newer, which == Signed::first || which == Signed::both);
    newer.packs[0].live_bytes += 1;
    later_key = put(newer, which == Signed::later || which == Signed::both);
  }
  std::string put(Manifest manifest, bool with_signature) {
    if (with_signature) sign(manifest);
    std::string key = engine.repository.manifests().store(manifest);
    store.advance(1min);
    return key;
  }
  void flip(const std::string& key) {
    auto bytes = *store.get(key);
    bytes[20] ^= 1;
    store.overwrite(key, as_text(bytes));
  }
  // Puts another one in its place, later than all others, that only a later program reads.
  void make_unknown(std::string& key) {
    store.erase(key);
    Manifest manifest = newer;
    manifest.requirements.read = {"of-the-future"};
    key = put(manifest, false);
  }
  ChosenSnapshot find(const std::string& reference) {
    return find_snapshot(engine.repository, {reference, std::nullopt}, store.now(), engine.reporter);
  }
  std::optional<Error> failure(const std::string& reference) {
    try {
      find(reference);
    } catch (const Error& e) {
      return e;
    }
    return std::nullopt;
  }
  bool warned_of(const std::string& text) const {
    return std::any_of(engine.reporter.warnings.begin(), engine.reporter.warnings.end(),
                       [&](const std::string& warning) { return warning.find(text) != std::string::npos; });
  }
};

}  // namespace

TEST_CASE("snapshot choice: of a manifest that cannot be read the others of its id are taken") {
  Scene scene;
  for (const std::string& reference : {std::string{"latest"}, std::string{"s"}, scene.newer.id.hex()}) {
    CHECK(scene.find(reference).manifest.id == scene.newer.id);
    CHECK(scene.engine.reporter.warnings.empty());
  }
  SUBCASE("damaged") {
    scene.flip(scene.later_key);
  }
  SUBCASE("for a later program") {
    scene.make_unknown(scene.later_key);
  }
  SUBCASE("gone since the listing") {
    scene.store.on_call = [&](const std::string& operation, const std::string& key) {
      if (operation == "get" && key == scene.later_key) scene.store.erase(key);
    };
    CHECK(scene.find("latest").info.object.key == scene.first_key);
    CHECK(scene.warned_of(scene.later_key));
    return;
  }
  for (const std::string& reference : {std::string{"latest"}, std::string{"s"}, scene.newer.id.hex()}) {
    scene.engine.reporter.warnings.clear();
    const auto chosen = scene.find(reference);
    CHECK(chosen.manifest.id == scene.newer.id);
    CHECK(chosen.info.object.key == scene.first_key);
    REQUIRE(scene.engine.reporter.warnings.size() == 1);
    CHECK(scene.warned_of(scene.later_key));
    CHECK(scene.warned_of("; using another manifest of the same snapshot"));
  }
}

TEST_CASE("snapshot choice: where no manifest of the snapshot can be read, the newest one's failure counts") {
  Scene scene;
  ErrorKind expected = ErrorKind::damaged;
  SUBCASE("all damaged") {
    scene.flip(scene.later_key);
  }
  SUBCASE("the newest for a later program") {
    scene.make_unknown(scene.later_key);
    expected = ErrorKind::failed;
  }
  scene.flip(scene.first_key);
  for (const std::string& reference : {std::string{"latest"}, std::string{"s"}, scene.newer.id.hex()}) {
    const auto failure = scene.failure(reference);
    REQUIRE(failure.has_value());
    CHECK(failure->kind() == expected);
    CHECK(failure->message().find(scene.later_key) != std::string::npos);
  }
  CHECK(scene.find(scene.older.id.hex()).manifest.id == scene.older.id);
}

TEST_CASE("snapshot choice: a store that fails is no reason to take another manifest") {
  Scene scene;
  scene.store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation == "get" && key == scene.later_key) {
      throw StoreError(ErrorKind::failed, StoreError::Transient::no, "unable to get");
    }
  };
  CHECK_THROWS_AS(scene.find("latest"), StoreError);
}

TEST_CASE("snapshot choice: where signatures are asked for, another manifest is taken only with one") {
  SUBCASE("it has one") {
    Scene scene{Scene::Signed::both, trusting_author()};
    scene.flip(scene.later_key);
    CHECK(scene.find("latest").info.object.key == scene.first_key);
    CHECK(scene.find(scene.newer.id.hex()).info.object.key == scene.first_key);
    CHECK(scene.warned_of(scene.later_key));
  }
  SUBCASE("it has none: the snapshot does not exist") {
    Scene scene{Scene::Signed::later, trusting_author()};
    CHECK(scene.find("latest").info.object.key == scene.later_key);
    scene.flip(scene.later_key);
    CHECK(scene.find("latest").info.object.key == scene.older_key);
    CHECK(scene.warned_of("one snapshot was newer than snapshot"));
    const auto failure = scene.failure(scene.newer.id.hex());
    REQUIRE(failure.has_value());
    CHECK(failure->kind() == ErrorKind::untrusted);
  }
  SUBCASE("it has none, and the newest is for a later program") {
    Scene scene{Scene::Signed::later, trusting_author()};
    scene.make_unknown(scene.later_key);
    for (const std::string& reference : {std::string{"latest"}, scene.newer.id.hex()}) {
      const auto failure = scene.failure(reference);
      REQUIRE(failure.has_value());
      CHECK(failure->kind() == ErrorKind::failed);
    }
  }
  SUBCASE("the newest has none, the first is damaged") {
    Scene scene{Scene::Signed::first, trusting_author()};
    CHECK(scene.find("latest").info.object.key == scene.first_key);
    scene.flip(scene.first_key);
    CHECK(scene.find("latest").info.object.key == scene.older_key);
  }
  SUBCASE("what a revoked key signed is not taken in place of a damaged one") {
    TrustPolicy policy;
    policy.revoked = {{author().public_key().text(), std::nullopt}};
    Scene scene{Scene::Signed::first, policy};
    CHECK(scene.find(scene.newer.id.hex()).info.object.key == scene.later_key);
    scene.flip(scene.later_key);
    const auto failure = scene.failure(scene.newer.id.hex());
    REQUIRE(failure.has_value());
    CHECK(failure->kind() == ErrorKind::damaged);
  }
}

TEST_CASE("snapshot choice: all manifests of the snapshot are meant") {
  Scene scene;
  const auto all = scene.engine.repository.manifests().list();
  for (const std::string& reference : {std::string{"latest"}, scene.newer.id.hex().substr(0, 8)}) {
    const auto chosen = choose_manifests(all, reference, std::nullopt, scene.store.now()).copies;
    std::vector<std::string> keys;
    for (const auto& info : chosen) keys.push_back(info.key);
    std::sort(keys.begin(), keys.end());
    std::vector<std::string> expected{scene.first_key, scene.later_key};
    std::sort(expected.begin(), expected.end());
    CHECK(keys == expected);
  }
}

TEST_CASE("snapshot choice: whoever believes nothing of a snapshot may name one by its id that is not trusted") {
  Scene scene{Scene::Signed::none, trusting_author()};
  const auto choose = [&](const std::string& reference) {
    const SnapshotChoice choice{reference, std::nullopt, SnapshotChoice::Untrusted::taken_by_id};
    return find_snapshot(scene.engine.repository, choice, scene.store.now(), scene.engine.reporter);
  };
  const auto kind_of = [&](const std::string& reference) {
    try {
      choose(reference);
    } catch (const Error& e) {
      return e.kind();
    }
    return ErrorKind::failed;
  };
  CHECK(choose(scene.older.id.hex()).info.id == scene.older.id);
  CHECK_FALSE(choose(scene.older.id.short_hex()).manifest.trusted);
  CHECK(choose(scene.newer.id.hex().substr(0, 8)).info.id == scene.newer.id);
  for (const char* name : {"s", "latest", "s@1s"}) CHECK(kind_of(name) == ErrorKind::not_found);
  CHECK(scene.failure(scene.older.id.hex())->kind() == ErrorKind::untrusted);
  SUBCASE("one that is trusted is taken before a copy that is not") {
    scene.older_key = scene.put(scene.older, true);
    scene.put(scene.older, false);
    const auto chosen = choose(scene.older.id.hex());
    CHECK(chosen.manifest.trusted);
    CHECK(chosen.info.object.key == scene.older_key);
  }
  SUBCASE("one that cannot be read is damaged, whoever signed it") {
    scene.flip(scene.older_key);
    CHECK(kind_of(scene.older.id.hex()) == ErrorKind::damaged);
  }
}

TEST_CASE("snapshot choice: what a clock that was ahead dated is passed over, and told of") {
  Scene scene;
  SUBCASE("by the store's own time of its manifest") {
    scene.put(EngineFixture::make_manifest("s", scene.store.now() + 100h, {scene.engine.put_pack({"f"})}, 3), false);
  }
  SUBCASE("by the clocks of today, where the store's was ahead, too") {
    scene.store.advance(100h);
    scene.put(EngineFixture::make_manifest("s", scene.store.now(), {scene.engine.put_pack({"f"})}, 3), false);
    scene.store.advance(-100h);
  }
  for (const std::string& reference : {std::string{"latest"}, std::string{"s"}}) {
    scene.engine.reporter.warnings.clear();
    CHECK(scene.find(reference).manifest.id == scene.newer.id);
    REQUIRE(scene.engine.reporter.warnings.size() == 1);
    CHECK(scene.warned_of("was passed over: a clock was ahead"));
  }
  scene.engine.reporter.warnings.clear();
  const auto all = scene.engine.repository.manifests().list();
  CHECK(scene.find(all.back().name.id).info.object.key == all.back().key);
  CHECK(scene.engine.reporter.warnings.empty());
}

TEST_CASE("snapshot choice: the first manifest tells when a snapshot came to the store") {
  MemoryStore store;
  EngineFixture engine{store};
  engine.repository.manifests().store(EngineFixture::make_manifest("s", store.now(), {engine.put_pack({"good"})}));
  Manifest ahead = EngineFixture::make_manifest("s", store.now() + 100h, {engine.put_pack({"ahead"})}, 2);
  engine.repository.manifests().store(ahead);
  store.advance(200h);
  ahead.packs[0].live_bytes += 1;
  engine.repository.manifests().store(ahead);
  CHECK(find_snapshot(engine.repository, {"latest", std::nullopt}, store.now(), engine.reporter).manifest.id !=
        ahead.id);
}
