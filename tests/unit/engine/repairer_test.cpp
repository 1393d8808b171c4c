#include "engine/repairer.hpp"

#include "engine/pusher.hpp"
#include "repo/layout.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"

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
  const ManifestInfo known = fixture.repository.list_manifests("s").front();
  const ManifestInfo info = fixture.repository.list_manifests("t").front();
  Manifest later = fixture.repository.load_manifest(info);
  SUBCASE("to be written after") {
    later.requirements.write = {"frob"};
  }
  SUBCASE("to be pruned beside") {
    later.requirements.prune = {"frob"};
  }
  store.erase(info.key);
  fixture.repository.store_manifest(later);

  RepairRequest request;
  request.packs = fixture.repository.load_manifest(known).packs;
  store.erase(layout::pack_key(request.packs.front().name));
  const RepairResult result = repair(fixture.context, &from.context, request);
  CHECK_FALSE(result.whole());
  REQUIRE(result.snapshots.size() == 2);
  for (const auto& snapshot : result.snapshots) {
    const bool needs_feature = snapshot.name.find(later.id.short_hex().substr(0, 8)) != std::string::npos;
    CAPTURE(snapshot.name);
    REQUIRE(snapshot.failure.has_value() == needs_feature);
    if (snapshot.failure) CHECK(snapshot.failure->message().find("needs the feature 'frob'") != std::string::npos);
  }
  CHECK(fixture.repository.list_manifests("s").size() == 2);
  CHECK(fixture.repository.list_manifests("t").size() == 1);
}
