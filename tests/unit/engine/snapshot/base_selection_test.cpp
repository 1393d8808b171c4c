#include "engine/snapshot/base_selection.hpp"

#include "engine/snapshot/known_chunks.hpp"
#include "repo/layout.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "unit/support.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

struct Selection {
  TemporaryDirectory directory{fs::temp_directory_path()};
  test::MemoryStore store;
  test::EngineFixture engine{store, directory.path() / "cache"};
  CommitProtocol* protocol = nullptr;

  Time hours_ago(int hours) { return store.now() - std::chrono::hours{hours}; }
  // Known to this host, as after a snapshot of its own.
  PackRef put_pack(const std::vector<std::string>& texts) {
    PackRef ref = engine.put_pack(texts);
    engine.repository.packs().directory(ref);
    ref.live_bytes = ref.raw_bytes;  // all of it is in use
    return ref;
  }
  void put_manifest(const std::string& series, int hours, std::vector<PackRef> packs) {
    engine.put_manifest(series, hours_ago(hours), std::move(packs));
    for (const auto& info : engine.repository.manifests().list()) engine.repository.manifests().load(info);
  }
  SnapshotBase find(const BaseQuery& query) {
    auto manifests = engine.repository.manifests().list();
    // In whatever order they are listed.
    std::reverse(manifests.begin(), manifests.end());
    return find_base(engine.context, *protocol, std::move(manifests), query);
  }
  static BaseQuery query() {
    BaseQuery out;
    out.series = "s";
    out.claim.kind = "directory";
    out.claim.source = "/source";
    return out;
  }
};

bool has(const LeanChoice& choice, const PackRef& ref) {
  const auto at = choice.packs.find(ref.prefix());
  return at && choice.packs[*at].name == ref.name;
}

}  // namespace

TEST_CASE("base selection: the newest snapshot of the series is the base, whatever the listing's order") {
  Selection t;
  const auto old = t.put_pack({"old"});
  const auto young = t.put_pack({"young"});
  t.put_manifest("s", 9, {old});
  t.put_manifest("s", 3, {young});
  t.put_manifest("other", 1, {old});
  CommitProtocol protocol{t.engine.context, "s", random_name(16)};
  t.protocol = &protocol;
  const auto base = t.find(Selection::query());
  REQUIRE(base.previous);
  CHECK(base.previous->record.cut_point == t.hours_ago(3));
  CHECK_FALSE(base.history.base);
  REQUIRE(base.history.last);
  CHECK(base.history.last->id == base.previous->id);
  REQUIRE(base.manifests.size() == 3);
  CHECK(base.manifests[0].name.series == "other");
  CHECK(base.manifests[1].name.cut_point > base.manifests[2].name.cut_point);
}

TEST_CASE("base selection: a default name is not taken for another source's series") {
  Selection t;
  t.put_manifest("s", 3, {t.put_pack({"text"})});
  CommitProtocol protocol{t.engine.context, "s", random_name(16)};
  t.protocol = &protocol;
  auto query = Selection::query();
  query.claim.defaulted = true;
  CHECK_NOTHROW(t.find(query));
  query.claim.source = "/elsewhere";
  CHECK(test::failure_of([&] { t.find(query); }) == ErrorKind::usage);
  query.claim.defaulted = false;
  CHECK_NOTHROW(t.find(query));
}

TEST_CASE("base selection: packs of the series come first, those of others that this host knows after them") {
  Selection t;
  const auto own = t.put_pack({"own"});
  const auto shared = t.put_pack({"shared"});
  const auto others = t.put_pack({"others"});
  const auto strange = t.engine.put_pack({"its directory was never read here"});
  const auto older = t.put_pack({"of an older one of the others"});
  t.put_manifest("s", 5, {own, shared});
  t.put_manifest("other", 9, {older});
  t.put_manifest("other", 3, {shared, others, strange});
  CommitProtocol protocol{t.engine.context, "s", random_name(16)};
  t.protocol = &protocol;
  auto base = t.find(Selection::query());
  const auto choice = PackChooser{t.engine.context, protocol, "s", 1 << 20}.choose(base);
  CHECK(choice.first_other == 2);
  CHECK(choice.packs.all().size() == 3);
  CHECK(has(choice, own));
  CHECK(has(choice, shared));
  CHECK(has(choice, others));
  CHECK(choice.packs.all()[2].name == others.name);
}

TEST_CASE("base selection: what is gone from the store is not leaned on") {
  Selection t;
  const auto there = t.put_pack({"there"});
  const auto gone = t.put_pack({"gone"});
  t.put_manifest("s", 5, {there, gone});
  t.store.remove(std::vector{layout::pack_key(gone.name)});
  CommitProtocol protocol{t.engine.context, "s", random_name(16)};
  t.protocol = &protocol;
  auto base = t.find(Selection::query());
  const auto choice = PackChooser{t.engine.context, protocol, "s", 1 << 20}.choose(base);
  CHECK(has(choice, there));
  CHECK(choice.packs.all().size() == 1);
}

TEST_CASE("base selection: without a snapshot nothing is leaned on but what others have") {
  Selection t;
  const auto others = t.put_pack({"others"});
  t.put_manifest("other", 3, {others});
  CommitProtocol protocol{t.engine.context, "s", random_name(16)};
  t.protocol = &protocol;
  auto base = t.find(Selection::query());
  CHECK_FALSE(base.previous);
  const auto choice = PackChooser{t.engine.context, protocol, "s", 1 << 20}.choose(base);
  CHECK(choice.first_other == 0);
  CHECK(has(choice, others));
}

TEST_CASE("known chunks: those of packs are found, and a pack whose directory is damaged is told and passed over") {
  Selection t;
  const auto good = t.engine.put_pack({"one", "two"});
  const auto bad = t.engine.put_pack({"three"});
  t.store.on_answer = [&](const std::string& key, Bytes& answer) {
    if (key == layout::pack_key(bad.name)) answer.back() = static_cast<std::uint8_t>(answer.back() ^ 1U);
  };
  LeanSet chosen;
  chosen.add(bad);
  chosen.add(good);
  KnownChunks known{t.directory.path()};
  known.index_packs(t.engine.context, chosen, 2);
  REQUIRE(known.lean().all().size() == 1);
  CHECK(known.lean()[0].name == good.name);
  CHECK(known.lean().chunk_count(0) == 2);
  const auto place = known.find(sha256("two"));
  REQUIRE(place);
  CHECK(place->source == 0);
  CHECK(place->chunk == 1);
  CHECK_FALSE(known.find(sha256("three")));
  REQUIRE_FALSE(t.engine.reporter.warnings.empty());
  CHECK(t.engine.reporter.warnings.back().find("stored again") != std::string::npos);

  known.add(sha256("new"), {k_own_frame, 4}, ChunkRule::Kind::fixed);
  REQUIRE(known.find(sha256("new")));
  CHECK(known.find(sha256("new"))->chunk == 4);
  // Lists are another matter.
  CHECK_FALSE(known.lists().find(sha256("new")));
}

TEST_CASE("known chunks: what a record of an interrupted run does not say is taken from the pack") {
  Selection t;
  auto ref = t.engine.put_pack({"one", "two"});
  ref.raw_bytes = 0;
  LeanSet chosen;
  chosen.add(ref);
  KnownChunks known{t.directory.path()};
  known.index_packs(t.engine.context, chosen, 1);
  CHECK(known.lean()[0].raw_bytes == 6);
}
