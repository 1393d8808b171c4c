#include "engine/push/pusher.hpp"

#include "capture/directory_source.hpp"
#include "engine/commit/commit_protocol.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "engine/verify/verifier.hpp"
#include "repo/layout.hpp"
#include "repo/notes.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/store_fixture.hpp"
#include "unit/support.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::test;
using namespace std::chrono_literals;
using std::chrono::days;

namespace {

struct Killed : std::exception {};

// A source with three snapshots of series s that share a pack, and one of series t.
struct Scene {
  MemoryStore from_store;
  MemoryStore to_store;
  EngineFixture from{from_store};
  PackRef shared = from.put_pack({"shared"});
  std::vector<PackRef> own;
  std::vector<Digest> ids;

  Scene() {
    for (int i = 0; i < 3; ++i) {
      own.push_back(from.put_pack({"own " + std::to_string(i), "more"}));
      ids.push_back(commit("s", i, {shared, own.back()}));
    }
    ids.push_back(commit("t", 0, {shared}));
  }
  Digest commit(const std::string& series, int minute, const std::vector<PackRef>& packs) {
    const Manifest manifest = EngineFixture::make_manifest(series, from_store.now() + minute * 1min, packs);
    from.repository.manifests().store(manifest);
    return manifest.id;
  }
};

std::vector<Digest> ids_in(EngineFixture& fixture) {
  std::vector<Digest> out;
  for (const auto& info : fixture.repository.manifests().list_snapshots()) out.push_back(info.id);
  return out;
}

// Every pack of every manifest is there, with the content its logical id says.
void check_whole(EngineFixture& fixture, MemoryStore& store) {
  for (const auto& info : fixture.repository.manifests().list()) {
    const Manifest manifest = fixture.repository.manifests().load(info, Cached::no);
    CHECK(std::is_sorted(manifest.packs.begin(), manifest.packs.end()));
    for (const auto& ref : manifest.packs) {
      const auto bytes = store.get(layout::pack_key(ref.name));
      REQUIRE(bytes.has_value());
      CHECK(bytes->size() == ref.size);
      CHECK(sha256(*bytes) == ref.name);
      const auto directory = PackDirectory::decode(ByteView{*bytes}.subspan(ref.directory_offset, ref.directory_size));
      CHECK(directory.logical_id() == ref.logical_id);
    }
  }
}

void put_mark(MemoryStore& store, const std::vector<Digest>& packs) {
  Mark mark;
  mark.time = store.now();
  mark.newest_object = store.now();
  mark.packs = packs;
  store.put(layout::mark_key(mark.time, random_name(16)), ObjectBody::from_text(mark.text()));
}

}  // namespace

TEST_CASE("pusher: everything is copied once, with the same ids and records, under names of its own") {
  Scene scene;
  EngineFixture to{scene.to_store};
  const PushResult result = push(scene.from.context, to.context, {});
  CHECK(result.snapshots.size() == 4);
  CHECK(result.packs_copied == 4);
  CHECK(result.packs_reused == 3);
  CHECK(ids_in(to) == ids_in(scene.from));
  check_whole(to, scene.to_store);
  CHECK(scene.to_store.keys(layout::k_packs).size() == 4);
  for (const auto& key : scene.from_store.keys(layout::k_packs)) CHECK_FALSE(scene.to_store.has(key));
  const auto before = scene.from.repository.manifests().list();
  const auto after = to.repository.manifests().list();
  for (std::size_t i = 0; i < before.size(); ++i) {
    const Manifest a = scene.from.repository.manifests().load(before[i]);
    const Manifest b = to.repository.manifests().load(after[i]);
    CHECK(a.record_text == b.record_text);
    CHECK(a.facts_text == b.facts_text);
    CHECK(a.root_text == b.root_text);
  }
  const PushResult again = push(scene.from.context, to.context, {});
  CHECK(again.snapshots.empty());
  CHECK(scene.to_store.keys(layout::k_packs).size() == 4);
}

TEST_CASE("pusher: newer ones, all that is lacking, or those named") {
  Scene scene;
  EngineFixture to{scene.to_store};
  PushRequest request;
  request.selection = PushRequest::Selection::named;
  request.snapshots = {scene.ids[1]};
  REQUIRE(push(scene.from.context, to.context, request).snapshots.size() == 1);
  CHECK(ids_in(to) == std::vector{scene.ids[1]});
  const PushResult there = push(scene.from.context, to.context, request);
  REQUIRE(there.snapshots.size() == 1);
  CHECK(there.snapshots[0].already_there);
  request.snapshots.clear();
  SUBCASE("newer, of each series") {
    const PushResult result = push(scene.from.context, to.context, {});
    REQUIRE(result.snapshots.size() == 2);
    CHECK(result.older == 1);
    CHECK(result.snapshots[0].id == scene.ids[2]);
    CHECK(result.snapshots[0].packs_reused == 1);
    CHECK(result.snapshots[1].id == scene.ids[3]);
    CHECK(result.snapshots[1].packs_copied == 0);
  }
  SUBCASE("newer, of one series") {
    request.selection = PushRequest::Selection::newer;
    request.series = "t";
    const PushResult result = push(scene.from.context, to.context, request);
    REQUIRE(result.snapshots.size() == 1);
    CHECK(result.snapshots[0].series == "t");
  }
  SUBCASE("newer, and one whatever its age") {
    request.selection = PushRequest::Selection::newer;
    request.snapshots = {scene.ids[0]};
    CHECK(push(scene.from.context, to.context, request).older == 0);
    CHECK(ids_in(to) == ids_in(scene.from));
    const PushResult again = push(scene.from.context, to.context, request);
    REQUIRE(again.snapshots.size() == 1);
    CHECK(again.snapshots[0].already_there);
  }
  SUBCASE("all") {
    request.selection = PushRequest::Selection::all;
    CHECK(push(scene.from.context, to.context, request).snapshots.size() == 3);
    CHECK(ids_in(to) == ids_in(scene.from));
  }
  SUBCASE("one that is not there") {
    request.snapshots = {scene.ids[0], sha256("no such")};
    CHECK_THROWS_AS(push(scene.from.context, to.context, request), Error);
    CHECK(ids_in(to).size() == 1);
  }
}

TEST_CASE("pusher: a snapshot of a clock that was ahead keeps out none of those that come after it") {
  Scene scene;
  EngineFixture to{scene.to_store};
  push(scene.from.context, to.context, {});
  constexpr int k_two_days = 2 * 24 * 60;
  scene.commit("s", k_two_days, {scene.shared});
  SUBCASE("the target's clock knew better") {
    REQUIRE(push(scene.from.context, to.context, {}).snapshots.size() == 1);
  }
  SUBCASE("the target's clock was the same, and was corrected") {
    scene.to_store.advance(48h);
    REQUIRE(push(scene.from.context, to.context, {}).snapshots.size() == 1);
    scene.to_store.advance(-48h);
  }
  const Digest next = scene.commit("s", 3, {scene.shared});
  const PushResult result = push(scene.from.context, to.context, {});
  REQUIRE(result.snapshots.size() == 1);
  CHECK(result.snapshots[0].id == next);
  CHECK(ids_in(to) == ids_in(scene.from));

  // A snapshot that the target has let go does not come back for all that.
  for (const auto& info : to.repository.manifests().list("s")) {
    if (info.name.id == scene.ids[0].short_hex()) scene.to_store.erase(info.key);
  }
  const PushResult again = push(scene.from.context, to.context, {});
  CHECK(again.snapshots.empty());
  CHECK(again.older == 1);
}

TEST_CASE("pusher: a manifest that is listed and not there is named, and does not keep the others") {
  Scene scene;
  EngineFixture to{scene.to_store};
  const std::string lost = scene.from.repository.manifests().list("s").at(1).key;
  scene.from_store.lose(lost);
  PushRequest request;
  request.selection = PushRequest::Selection::all;
  const PushResult result = push(scene.from.context, to.context, request);
  CHECK(result.unreadable == std::vector{lost});
  CHECK(ids_in(to) == std::vector{scene.ids[0], scene.ids[2], scene.ids[3]});
}

TEST_CASE("pusher: a store is not pushed to itself") {
  Scene scene;
  EngineFixture same{scene.from_store};
  CHECK_THROWS_AS(push(scene.from.context, same.context, {}), Error);
}

TEST_CASE("pusher: large packs go through the spool, which is empty afterwards") {
  Scene scene;
  EngineFixture to{scene.to_store};
  const TemporaryDirectory spool{fs::temp_directory_path()};
  PushRequest request;
  request.spool = spool.path();
  request.spool_above = 0;
  // Larger than one piece.
  std::vector<std::string> texts;
  for (int i = 0; i < 12; ++i) texts.push_back(to_hex(random_bytes(450'000)));
  const PackRef large = scene.from.put_pack(texts);
  scene.commit("large", 0, {large});
  CHECK(push(scene.from.context, to.context, request).packs_copied == 5);
  check_whole(to, scene.to_store);
  CHECK(fs::is_empty(spool.path()));
  SUBCASE("damaged ones too") {
    const PackRef bad = scene.from.put_pack({"bad"});
    scene.commit("bad", 0, {bad});
    auto bytes = *scene.from_store.get(layout::pack_key(bad.name));
    bytes[k_pack_header_size + 3] ^= 1;
    scene.from_store.overwrite(layout::pack_key(bad.name), as_text(bytes));
    const PushResult result = push(scene.from.context, to.context, request);
    REQUIRE(result.snapshots.size() == 1);
    CHECK(result.snapshots[0].failure.has_value());
    CHECK(fs::is_empty(spool.path()));
  }
}

TEST_CASE("pusher: what is damaged in the source is not committed, and does not keep the others from it") {
  Scene scene;
  EngineFixture to{scene.to_store};
  const std::string key = layout::pack_key(scene.own[1].name);
  SUBCASE("a flipped byte") {
    auto bytes = *scene.from_store.get(key);
    bytes[k_pack_header_size] ^= 1;
    scene.from_store.overwrite(key, as_text(bytes));
  }
  SUBCASE("cut short") {
    auto bytes = *scene.from_store.get(key);
    bytes.pop_back();
    scene.from_store.overwrite(key, as_text(bytes));
  }
  SUBCASE("missing") {
    scene.from_store.erase(key);
  }
  const PushResult result = push(scene.from.context, to.context, {});
  REQUIRE(result.snapshots.size() == 4);
  for (const auto& pushed : result.snapshots) CHECK(pushed.failure.has_value() == (pushed.id == scene.ids[1]));
  CHECK(ids_in(to).size() == 3);
  check_whole(to, scene.to_store);
}

TEST_CASE("pusher: of a manifest that is damaged in the source another one of the snapshot is pushed") {
  Scene scene;
  EngineFixture to{scene.to_store};
  scene.from_store.advance(1min);
  std::string damaged;
  for (const auto& info : scene.from.repository.manifests().list()) {
    Manifest manifest = scene.from.repository.manifests().load(info);
    if (manifest.id != scene.ids[1]) continue;
    manifest.packs[0].live_bytes += 1;
    damaged = scene.from.repository.manifests().store(manifest);
  }
  auto bytes = *scene.from_store.get(damaged);
  SUBCASE("in what listings read") {
    bytes[20] ^= 1;
  }
  SUBCASE("behind it") {
    bytes[as_text(bytes).find('\n') + 20] ^= 1;
  }
  scene.from_store.overwrite(damaged, as_text(bytes));
  const PushResult result = push(scene.from.context, to.context, {});
  REQUIRE(result.snapshots.size() == 4);
  for (const auto& pushed : result.snapshots) CHECK_FALSE(pushed.failure.has_value());
  CHECK(result.unreadable.empty());
  CHECK(ids_in(to) == ids_in(scene.from));
  check_whole(to, scene.to_store);
  CHECK(scene.from.reporter.warnings.size() >= 1);

  // Nothing is left of the snapshot once the other one is damaged, too.
  for (const auto& info : scene.from.repository.manifests().list()) {
    if (info.name.id != scene.ids[1].short_hex() || info.key == damaged) continue;
    auto other = *scene.from_store.get(info.key);
    other[as_text(other).find('\n') + 20] ^= 1;
    scene.from_store.overwrite(info.key, as_text(other));
  }
  MemoryStore third_store;
  EngineFixture third{third_store};
  const PushResult lacking = push(scene.from.context, third.context, {});
  REQUIRE(lacking.snapshots.size() == 4);
  for (const auto& pushed : lacking.snapshots) CHECK(pushed.failure.has_value() == (pushed.id == scene.ids[1]));
  check_whole(third, third_store);
}

TEST_CASE("pusher: a manifest that is damaged in the source is told of where the target goes without its snapshot") {
  Scene scene;
  EngineFixture to{scene.to_store};
  PushRequest request;
  push(scene.from.context, to.context, request);
  const auto key_of = [&](EngineFixture& fixture) {
    for (const auto& info : fixture.repository.manifests().list()) {
      if (info.name.id == scene.ids[1].short_hex()) return info.key;
    }
    return std::string{};
  };
  const std::string key = key_of(scene.from);
  const auto damage = [](MemoryStore& store, const std::string& of, std::size_t at) {
    auto bytes = *store.get(of);
    bytes[at] ^= 1;
    store.overwrite(of, as_text(bytes));
  };
  const auto unreadable = [&] { return push(scene.from.context, to.context, request).unreadable; };
  damage(scene.from_store, key, 20);
  scene.commit("s", 4, {scene.shared});
  CHECK(unreadable().empty());
  request.selection = PushRequest::Selection::all;
  CHECK(unreadable().empty());
  SUBCASE("where it cannot be read either") {
    const std::string there = key_of(to);
    damage(scene.to_store, there, as_text(*scene.to_store.get(there)).find('\n') + 20);
  }
  SUBCASE("where it has gone") {
    scene.to_store.erase(key_of(to));
  }
  CHECK(unreadable() == std::vector{key});
  // Neither is it newer than the target's newest, nor is it what is asked for.
  request.selection = PushRequest::Selection::newer;
  CHECK(unreadable().empty());
  request.selection = PushRequest::Selection::named;
  request.snapshots = {scene.ids[2]};
  CHECK(unreadable().empty());
}

TEST_CASE("pusher: a snapshot that asks for a feature that is not known is not pushed, and keeps no other from it") {
  Scene scene;
  EngineFixture to{scene.to_store};
  const ManifestInfo info = scene.from.repository.manifests().list("s").at(1);
  Manifest later = scene.from.repository.manifests().load(info);
  REQUIRE(later.id == scene.ids[1]);
  SUBCASE("to be read") {
    later.requirements.read = {"frob"};
  }
  SUBCASE("to be written after") {
    later.requirements.write = {"frob"};
  }
  SUBCASE("to be pruned beside") {
    later.requirements.prune = {"frob"};
  }
  scene.from_store.erase(info.key);
  scene.from.repository.manifests().store(later);
  PushRequest request;
  request.selection = PushRequest::Selection::all;
  const PushResult result = push(scene.from.context, to.context, request);
  REQUIRE(result.snapshots.size() == 4);
  for (const auto& pushed : result.snapshots) {
    REQUIRE(pushed.failure.has_value() == (pushed.id == scene.ids[1]));
    if (!pushed.failure) continue;
    CHECK(pushed.failure->kind() == ErrorKind::failed);
    CHECK(pushed.failure->message().find("needs the feature 'frob'") != std::string::npos);
    CHECK(pushed.packs_copied == 0);
  }
  CHECK(ids_in(to) == std::vector{scene.ids[0], scene.ids[2], scene.ids[3]});
  check_whole(to, scene.to_store);
}

TEST_CASE("pusher: signatures that are not known travel with the record") {
  Scene scene;
  EngineFixture to{scene.to_store};
  const ManifestInfo info = scene.from.repository.manifests().list("t").front();
  std::string text = scene.from.repository.manifests().load_text(info);
  const std::string item = R"("signatures":[{"kind":"later","proof":[1.50]}])";
  text = replaced(text, R"("signatures":[])", item);
  scene.from_store.erase(info.key);
  scene.from_store.put(layout::manifest_key("t", info.name.cut_point, scene.ids[3], sha256(text)),
                       ObjectBody::from_text(text));
  push(scene.from.context, to.context, {});
  const auto pushed = to.repository.manifests().list("t");
  REQUIRE(pushed.size() == 1);
  CHECK(to.repository.manifests().load_text(pushed.front()).find(item) != std::string::npos);
}

TEST_CASE("pusher: packs that the target has condemned are copied again, under new names") {
  Scene scene;
  EngineFixture to{scene.to_store};
  PushRequest first;
  first.selection = PushRequest::Selection::named;
  first.snapshots = {scene.ids[0]};
  push(scene.from.context, to.context, first);
  const auto manifest = to.repository.manifests().load(to.repository.manifests().list().front());
  std::vector<Digest> names;
  for (const auto& ref : manifest.packs) names.push_back(ref.name);
  put_mark(scene.to_store, names);
  const PushResult result = push(scene.from.context, to.context, {});
  CHECK(result.packs_copied == 3);
  for (const auto& info : to.repository.manifests().list()) {
    if (info.key == to.repository.manifests().list().front().key) continue;
    for (const auto& ref : to.repository.manifests().load(info).packs) {
      CHECK(std::find(names.begin(), names.end(), ref.name) == names.end());
    }
  }
  check_whole(to, scene.to_store);
}

TEST_CASE("pusher: a pack marked while the push runs, and gone when it commits, is copied again from the source") {
  Scene scene;
  EngineFixture to{scene.to_store};
  PushRequest first;
  first.selection = PushRequest::Selection::named;
  first.snapshots = {scene.ids[0]};
  push(scene.from.context, to.context, first);
  const auto old = to.repository.manifests().list().front();
  PackRef shared;
  for (const auto& ref : to.repository.manifests().load(old).packs) {
    if (ref.logical_id == scene.shared.logical_id) shared = ref;
  }
  bool once = true;
  scene.to_store.on_call = [&](const std::string& operation, const std::string& key) {
    if (!once || operation != "put" || !key.starts_with(layout::k_packs)) return;
    once = false;
    put_mark(scene.to_store, {shared.name});
    scene.to_store.erase(layout::pack_key(shared.name));
    scene.to_store.erase(old.key);
  };
  push(scene.from.context, to.context, {});
  scene.to_store.on_call = nullptr;
  CHECK(ids_in(to).size() == 3);
  check_whole(to, scene.to_store);
}

TEST_CASE("pusher: a push that ends at any call of the target is completed by the next, and nothing is stored twice") {
  int killed = 0;
  for (int at = 0;; ++at) {
    const TemporaryDirectory cache{fs::temp_directory_path()};
    Scene scene;
    bool died = false;
    {
      EngineFixture to{scene.to_store, cache.path()};
      std::atomic<int> calls{0};
      scene.to_store.on_call = [&](const std::string&, const std::string&) {
        if (calls++ >= at) throw Killed{};
      };
      try {
        push(scene.from.context, to.context, {});
      } catch (const Killed&) {
        died = true;
      }
      scene.to_store.on_call = nullptr;
    }
    EngineFixture to{scene.to_store, cache.path()};
    check_whole(to, scene.to_store);
    push(scene.from.context, to.context, {});
    CHECK(ids_in(to) == ids_in(scene.from));
    check_whole(to, scene.to_store);
    CAPTURE(at);
    CHECK(scene.to_store.keys(layout::k_packs).size() == 4);
    if (!died) break;
    ++killed;
  }
  MESSAGE(killed << " pushes ended early, all completed");
  CHECK(killed > 20);
}

TEST_CASE("pusher: an interrupted push records what it has, and needs no cache to find it") {
  Scene scene;
  EngineFixture to{scene.to_store};
  std::atomic<int> puts{0};
  scene.to_store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation == "after put" && key.starts_with(layout::k_packs) && ++puts == 2) set_interrupted(2);
  };
  try {
    push(scene.from.context, to.context, {});
    FAIL("not interrupted");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::interrupted);
  }
  set_interrupted(0);
  scene.to_store.on_call = nullptr;
  push(scene.from.context, to.context, {});
  CHECK(ids_in(to) == ids_in(scene.from));
  CHECK(scene.to_store.keys(layout::k_packs).size() == 4);
}

TEST_CASE("pusher: a real snapshot is whole in the other store") {
  StoreFixture local;
  fs::create_directory(local.source / "d");
  for (int i = 0; i < 20; ++i) {
    write_file_atomic(local.source / "d" / std::to_string(i), as_bytes(to_hex(random_bytes(1000))));
  }
  DirectoryOptions options;
  options.path = local.source;
  DirectorySource source{options};
  SnapshotRequest snapshot;
  snapshot.series = "s";
  auto context = local.context();
  take_snapshot(context, source, snapshot);

  MemoryStore store;
  EngineFixture to{store};
  push(context, to.context, {});
  VerifyRequest verification;
  verification.level = VerifyLevel::full;
  verification.manifests = to.repository.manifests().list();
  const VerifyResult verified = verify(to.context, verification);
  CHECK(verified.snapshots == 1);
  CHECK(verified.problems.empty());
}
