#include "engine/commit/commit_protocol.hpp"

#include "engine/prune/pruner.hpp"
#include "repo/layout.hpp"
#include "repo/notes.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <atomic>
#include <csignal>
#include <functional>
#include <future>
#include <utility>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::test;
using namespace std::chrono_literals;

namespace {

void put_mark(MemoryStore& store, const std::vector<Digest>& packs) {
  Mark mark;
  mark.time = store.now();
  mark.newest_object = store.now();
  mark.packs = packs;
  store.put(layout::mark_key(mark.time, random_name(16)), ObjectBody::from_text(mark.text()));
}

// Once: when the first manifest has been put.
void after_first_manifest(MemoryStore& store, std::function<void()> then) {
  store.on_call = [then = std::move(then), once = true](const std::string& operation, const std::string& key) mutable {
    if (!once || operation != "after put" || !key.starts_with(layout::k_snapshots)) return;
    once = false;
    then();
  };
}

struct Protocol : CommitProtocol {
  explicit Protocol(EngineFixture& fixture, const char* series = "s")
      : CommitProtocol(fixture.context, series, random_name(16)) {}
};

Manifest read_back(EngineFixture& fixture, const std::string& key) {
  for (const auto& info : fixture.repository.manifests().list()) {
    if (info.key == key) return fixture.repository.manifests().load(info);
  }
  throw std::runtime_error("no manifest " + key);
}

}  // namespace

TEST_CASE("commit protocol: only packs listed with their size and not marked are usable") {
  MemoryStore store;
  EngineFixture fixture{store};
  const PackRef good = fixture.put_pack({"good"});
  const PackRef marked = fixture.put_pack({"marked"});
  PackRef other_size = fixture.put_pack({"other size"});
  other_size.size += 1;
  const PackRef missing = EngineFixture::build_pack({"missing"}).ref;
  put_mark(store, {marked.name});
  const Protocol protocol{fixture};
  CHECK(protocol.usable(good));
  CHECK(protocol.seen(marked));
  CHECK(protocol.condemned().contains(marked.name));
  CHECK_FALSE(protocol.usable(marked));
  CHECK_FALSE(protocol.seen(other_size));
  CHECK_FALSE(protocol.seen(missing));
}

TEST_CASE("commit protocol: a mark that cannot be read stops the writer") {
  MemoryStore store;
  EngineFixture fixture{store};
  store.put(layout::mark_key(store.now(), random_name(16)), ObjectBody::from_text("{}"));
  CHECK_THROWS_AS(Protocol{fixture}, Error);
}

TEST_CASE("commit protocol: a pack stored and recorded is adopted by a later run of the host, not of another") {
  MemoryStore store;
  EngineFixture fixture{store};
  const auto built = EngineFixture::build_pack({"one"});
  const auto second = EngineFixture::build_pack({"two"});
  {
    Protocol protocol{fixture};
    protocol.store_pack(built);
    protocol.store_pack(second);
    CHECK(store.keys(layout::k_pending).empty());
    protocol.abandon();
    CHECK(store.keys(layout::k_pending).size() == 1);
    protocol.flush_pending();  // nothing new
    CHECK(store.keys(layout::k_pending).size() == 1);
  }
  put_mark(store, {second.ref.name});
  const Protocol later{fixture, "other"};
  REQUIRE(later.adoptable().size() == 1);
  CHECK(later.adoptable()[0].name == built.ref.name);
  EngineFixture stranger{store, {}, "elsewhere"};
  CHECK(Protocol{stranger}.adoptable().empty());
}

TEST_CASE("commit protocol: a run killed before its record is found again by its journal") {
  const TemporaryDirectory cache{fs::temp_directory_path()};
  MemoryStore store;
  const auto built = EngineFixture::build_pack({"one"});
  const auto lost = EngineFixture::build_pack({"two"});
  {
    EngineFixture fixture{store, cache.path()};
    Protocol protocol{fixture};
    protocol.store_pack(built);
    store.on_call = [&](const std::string& operation, const std::string& key) {
      if (operation == "put" && key == layout::pack_key(lost.ref.name)) {
        throw StoreError(ErrorKind::failed, StoreError::Transient::no, "no");
      }
    };
    CHECK_THROWS_AS(protocol.store_pack(lost), StoreError);
    store.on_call = nullptr;
  }
  EngineFixture fixture{store, cache.path()};
  {
    Protocol protocol{fixture};
    // The journal has both; only what the listing shows is believed.
    REQUIRE(protocol.adoptable().size() == 1);
    CHECK(protocol.adoptable()[0].logical_id == built.ref.logical_id);
    Manifest manifest = EngineFixture::make_manifest("s", store.now(), protocol.adoptable());
    protocol.commit(manifest);
  }
  CHECK(Protocol{fixture}.adoptable().empty());
}

TEST_CASE("commit protocol: an interrupted run records what it stored in a store that obeys signals, as S3 does") {
  MemoryStore store;
  EngineFixture fixture{store};
  Protocol protocol{fixture};
  protocol.store_pack(EngineFixture::build_pack({"one"}));
  store.on_call = [](const std::string&, const std::string&) { check_interrupted(); };
  set_interrupted(SIGTERM);
  protocol.abandon();
  CHECK(interrupted_by() == SIGTERM);
  set_interrupted(0);
  CHECK(store.keys(layout::k_pending).size() == 1);
  CHECK(fixture.reporter.warnings.empty());
}

TEST_CASE("commit protocol: a failed record is written again on the way out") {
  MemoryStore store;
  EngineFixture fixture{store};
  Protocol protocol{fixture};
  protocol.store_pack(EngineFixture::build_pack({"one"}));
  bool fail = true;
  store.on_call = [&](const std::string& operation, const std::string& key) {
    if (fail && operation == "put" && key.starts_with(layout::k_pending)) {
      throw StoreError(ErrorKind::failed, StoreError::Transient::no, "no");
    }
  };
  protocol.abandon();
  CHECK(fixture.reporter.warnings.size() == 1);
  CHECK(store.keys(layout::k_pending).empty());
  fail = false;
  protocol.abandon();
  CHECK(store.keys(layout::k_pending).size() == 1);
}

TEST_CASE("commit protocol: a pack marked since the run began is stored again before the commit") {
  MemoryStore store;
  EngineFixture fixture{store};
  const PackRef old = fixture.put_pack({"one", "two"});
  Protocol protocol{fixture};
  REQUIRE(protocol.usable(old));
  put_mark(store, {old.name});
  Manifest manifest = EngineFixture::make_manifest("s", store.now(), {old});
  const Digest id = manifest.id;
  const std::string key = protocol.commit(manifest);
  CHECK(store.keys(layout::k_snapshots) == std::vector<std::string>{key});
  const Manifest stored = read_back(fixture, key);
  CHECK(stored.id == id);
  REQUIRE(stored.packs.size() == 1);
  CHECK(stored.packs[0].name != old.name);
  CHECK(stored.packs[0].logical_id == old.logical_id);
  CHECK(store.has(layout::pack_key(stored.packs[0].name)));
  CHECK(fixture.repository.packs().directory(stored.packs[0])->chunk_count() == 2);
}

TEST_CASE("commit protocol: a pack that is deleted, and then its mark, while a new run stands still") {
  const TemporaryDirectory cache{fs::temp_directory_path()};
  MemoryStore store;
  EngineFixture fixture{store, cache.path()};
  const auto built = EngineFixture::build_pack({"one"});
  { Protocol{fixture}.store_pack(built); }  // cut off: the journal has it
  put_mark(store, {built.ref.name});
  // Between the run's listings of marks and of packs, whichever comes first. (That of pending records is on its own.)
  int listings = 0;
  store.on_call = [&](const std::string& operation, const std::string& prefix) {
    if (operation != "list" || prefix == layout::k_pending || ++listings != 2) return;
    for (const auto& key : store.keys(layout::k_packs)) store.erase(key);
    for (const auto& key : store.keys(layout::k_marks)) store.erase(key);
  };
  const Protocol protocol{fixture};
  CHECK(listings >= 2);
  CHECK(protocol.adoptable().empty());
  CHECK_FALSE(protocol.usable(built.ref));
}

TEST_CASE("commit protocol: a pack gone without a mark that is still there is noticed by a long run") {
  MemoryStore store;
  EngineFixture fixture{store};
  const PackRef old = fixture.put_pack({"one"});
  Protocol protocol{fixture};
  store.erase(layout::pack_key(old.name));
  store.advance(std::chrono::days{20});
  Manifest manifest = EngineFixture::make_manifest("s", store.now(), {old});
  CHECK_THROWS_AS(protocol.commit(manifest), Error);
  CHECK(store.keys(layout::k_snapshots).empty());
}

// With the shortest grace that a prune beside others may have. The lease of the one before it is in nobody's way.
void prune_shortly(MemoryStore& store, EngineFixture& fixture) {
  store.erase(layout::k_lease);
  PruneRequest request;
  request.settings.grace = k_shortest_shared_grace;
  request.settings.clock_ok = true;
  request.policy = [](const std::string&) { return RetentionPolicy{}; };
  Pruner{fixture.context, request, Apply::yes}.execute();
}

TEST_CASE(
    "commit protocol: a run that stands still for longer than a prune's short grace does not commit what has gone") {
  MemoryStore store;
  EngineFixture fixture{store};
  fixture.put_manifest("other", store.now(), {});
  Protocol protocol{fixture};
  const auto built = EngineFixture::build_pack({"one"});
  protocol.store_pack(built);
  // Marks it, deletes it, and drops the mark.
  for (const auto pause : {80min, 70min, 70min}) {
    store.advance(pause);
    prune_shortly(store, fixture);
  }
  REQUIRE(store.keys(layout::k_packs).empty());
  REQUIRE(store.keys(layout::k_marks).empty());
  Manifest manifest = EngineFixture::make_manifest("s", store.now(), {built.ref});
  CHECK_THROWS_AS(protocol.commit(manifest), Error);
  CHECK(store.keys(std::string{layout::k_snapshots} + "s/").empty());
}

TEST_CASE("commit protocol: a run that goes on for longer than a prune's short grace keeps its packs") {
  MemoryStore store;
  EngineFixture fixture{store};
  std::chrono::steady_clock::time_point steady{};
  fixture.context.steady = [&] { return steady; };
  fixture.put_manifest("other", store.now(), {});
  Protocol protocol{fixture};
  const auto built = EngineFixture::build_pack({"one"});
  protocol.store_pack(built);
  for (int i = 0; i < 24; ++i) {
    store.advance(10min);
    steady += 10min;
    protocol.keep_alive();
    prune_shortly(store, fixture);
  }
  Manifest manifest = EngineFixture::make_manifest("s", store.now(), {built.ref});
  protocol.commit(manifest);
  CHECK(manifest.packs[0].name == built.ref.name);
  CHECK(store.has(layout::pack_key(built.ref.name)));
}

namespace {

struct LongRun {
  MemoryStore store;
  EngineFixture fixture{store};
  std::chrono::steady_clock::time_point steady{};
  LongRun() {
    fixture.context.steady = [this] { return steady; };
  }
};

}  // namespace

TEST_CASE("commit protocol: who keeps a run alive does not wait for the store") {
  LongRun run;
  Protocol protocol{run.fixture};
  protocol.store_pack(EngineFixture::build_pack({"one"}));
  std::promise<void> answer;
  std::atomic<bool> too_long = false;
  run.store.on_call = [&, answered = answer.get_future().share()](const std::string& operation,
                                                                  const std::string& key) {
    if (operation != "put" || !key.starts_with(layout::k_pending)) return;
    if (answered.wait_for(30s) != std::future_status::ready) too_long = true;
  };
  run.steady += 20min;
  protocol.keep_alive();
  CHECK(run.store.keys(layout::k_pending).empty());
  run.steady += 20min;
  protocol.keep_alive();
  answer.set_value();
  protocol.flush_pending();
  CHECK_FALSE(too_long);
  CHECK(run.store.keys(layout::k_pending).size() == 1);
}

TEST_CASE("commit protocol: a record that cannot be written ends the run, which records once more on its way out") {
  LongRun run;
  Protocol protocol{run.fixture};
  const auto built = EngineFixture::build_pack({"one"});
  protocol.store_pack(built);
  run.store.on_call = [](const std::string& operation, const std::string& key) {
    if (operation == "put" && key.starts_with(layout::k_pending)) {
      throw StoreError(ErrorKind::failed, StoreError::Transient::no, "refused");
    }
  };
  run.steady += 20min;
  const auto go_on = [&] {
    protocol.keep_alive();
    Manifest manifest = EngineFixture::make_manifest("s", run.store.now(), {built.ref});
    protocol.commit(manifest);
  };
  CHECK_THROWS_AS(go_on(), StoreError);
  CHECK(run.store.keys(layout::k_snapshots).empty());
  run.store.on_call = {};
  protocol.abandon();
  CHECK(run.store.keys(layout::k_pending).size() == 1);
  CHECK(Protocol{run.fixture, "other"}.adoptable().size() == 1);
}

TEST_CASE("commit protocol: a pack that went while the manifest was put makes a second manifest") {
  MemoryStore store;
  EngineFixture fixture{store};
  const PackRef old = fixture.put_pack({"one"});
  Protocol protocol{fixture};
  after_first_manifest(store, [&] {
    store.advance(std::chrono::days{8});
    put_mark(store, {old.name});
    store.erase(layout::pack_key(old.name));
  });
  Manifest manifest = EngineFixture::make_manifest("s", store.now(), {old});
  SUBCASE("from a source that still has it") {
    const std::string key = protocol.commit(manifest, [&](const PackRef& pack) {
      const auto again = EngineFixture::build_pack({"one"});
      CHECK(again.ref.logical_id == pack.logical_id);
      protocol.store_pack(again);
      return again.ref;
    });
    CHECK(store.keys(layout::k_snapshots).size() == 2);
    CHECK(store.has(layout::pack_key(read_back(fixture, key).packs[0].name)));
    CHECK(fixture.repository.manifests().list_snapshots().size() == 1);
  }
  SUBCASE("nobody has it: the run fails") {
    CHECK_THROWS_AS(protocol.commit(manifest), Error);
  }
}

TEST_CASE("commit protocol: a machine that slept while the manifest was put looks whether its packs are still there") {
  MemoryStore store;
  EngineFixture fixture{store};
  const PackRef old = fixture.put_pack({"one"});
  const PackRef other = fixture.put_pack({"two"});
  Protocol protocol{fixture};
  // Long enough for prunes to mark a pack, delete it, and delete the mark.
  after_first_manifest(store, [&] {
    store.advance(std::chrono::days{30});
    store.erase(layout::pack_key(old.name));
  });
  Manifest manifest = EngineFixture::make_manifest("s", store.now(), {old, other});
  const std::string key = protocol.commit(manifest, [&](const PackRef& pack) {
    CHECK(pack.name == old.name);
    const auto again = EngineFixture::build_pack({"one"});
    protocol.store_pack(again);
    return again.ref;
  });
  CHECK(store.keys(layout::k_snapshots).size() == 2);
  for (const auto& pack : read_back(fixture, key).packs) CHECK(store.has(layout::pack_key(pack.name)));
}

TEST_CASE("commit protocol: a fresh mark after the commit leaves the manifest as it is") {
  MemoryStore store;
  EngineFixture fixture{store};
  const PackRef old = fixture.put_pack({"one"});
  Protocol protocol{fixture};
  store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation == "after put" && key.starts_with(layout::k_snapshots)) put_mark(store, {old.name});
  };
  Manifest manifest = EngineFixture::make_manifest("s", store.now(), {old});
  protocol.commit(manifest);
  CHECK(store.keys(layout::k_snapshots).size() == 1);
  CHECK(manifest.packs[0].name == old.name);
}

TEST_CASE("commit protocol: a damaged pack is not stored again") {
  MemoryStore store;
  EngineFixture fixture{store};
  const PackRef old = fixture.put_pack({"one"});
  Protocol protocol{fixture};
  auto bytes = *store.get(layout::pack_key(old.name));
  bytes[k_pack_header_size + 10] ^= 1;
  store.overwrite(layout::pack_key(old.name), as_text(bytes));
  CHECK_THROWS_AS(protocol.store_pack_again(old), Error);
  CHECK(store.keys(layout::k_packs).size() == 1);
}
