#include "engine/prune/pruner.hpp"

#include "repo/layout.hpp"
#include "repo/objects.hpp"
#include "store/local_store.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <sys/wait.h>

using namespace cairn;
using namespace cairn::test;
using namespace std::chrono_literals;
using std::chrono::days;

namespace {

struct Killed : std::exception {};

PruneRequest keep_last(std::uint32_t count) {
  PruneRequest request;
  request.policy = [count](const std::string& series) -> std::optional<RetentionPolicy> {
    if (series == "busy") return std::nullopt;
    RetentionPolicy policy;
    policy.keep_last = count;
    return policy;
  };
  return request;
}

PruneResult prune(EngineFixture& fixture, const PruneRequest& request) {
  Pruner pruner{fixture.context, request, Apply::yes};
  return pruner.execute();
}

ErrorKind kind_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.kind();
  }
  throw std::runtime_error("no error");
}

// Three snapshots a, b, c of one series, a minute apart; each has a pack of its own, all share one.
struct Scene {
  explicit Scene(MemoryStore& store, const fs::path& cache = {}) : fixture(store, cache) {
    shared = fixture.put_pack({"shared"});
    for (const char* name : {"a", "b", "c"}) {
      const PackRef own = fixture.put_pack({name});
      packs.push_back(layout::pack_key(own.name));
      store.advance(1min);
      Manifest manifest = EngineFixture::make_manifest("s", store.now(), {shared, own});
      ids.push_back(manifest.id);
      keys.push_back(fixture.repository.manifests().store(manifest));
    }
  }
  EngineFixture fixture;
  PackRef shared;
  std::vector<std::string> packs;
  std::vector<std::string> keys;
  std::vector<Digest> ids;
};

PruneRequest forget(const Digest& id) {
  PruneRequest request;
  request.forget = std::vector{id};
  return request;
}

// The harm that befalls a manifest in a store: nothing is left, the end is missing, a bit changed and the size did not.
enum class Harm { emptied, cut, flipped };
constexpr Harm k_harms[] = {Harm::emptied, Harm::cut, Harm::flipped};

void harm(MemoryStore& store, const std::string& key, Harm how) {
  std::string text{as_text(store.objects().at(key).bytes)};
  if (how == Harm::emptied) text.clear();
  if (how == Harm::cut) text.resize(text.size() - 1);
  if (how == Harm::flipped) text[text.size() / 2] ^= 1;
  store.overwrite(key, text);
}

// How often each manifest was read from the store.
class ReadCounts {
 public:
  explicit ReadCounts(MemoryStore& store) : m_store(store) {
    store.on_call = [this](const std::string& operation, const std::string& key) {
      const std::scoped_lock lock{m_mutex};
      if (operation == "get" && key.starts_with(layout::k_snapshots)) ++m_counts[key];
    };
  }
  ~ReadCounts() { m_store.on_call = nullptr; }
  std::map<std::string, int> take() { return std::exchange(m_counts, {}); }

 private:
  MemoryStore& m_store;
  std::mutex m_mutex;
  std::map<std::string, int> m_counts;
};

// A snapshot of another series, so that the store does not look dead.
void keep_busy(MemoryStore& store, EngineFixture& fixture) {
  fixture.put_manifest("busy", store.now(), {});
}

}  // namespace

TEST_CASE("pruner: retention removes snapshots at once and their packs one grace later") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  store.advance(days{8});
  const PruneResult first = prune(fixture, keep_last(1));
  CHECK(first.manifests_removed == 2);
  CHECK(first.packs_marked == 2);
  CHECK(first.packs_deleted == 0);
  CHECK(store.keys(layout::k_snapshots) == std::vector<std::string>{scene.keys[2]});
  CHECK(store.keys(layout::k_packs).size() == 4);
  CHECK_FALSE(store.has(layout::k_lease));

  store.advance(days{6});
  CHECK(prune(fixture, keep_last(1)).packs_deleted == 0);
  store.advance(days{1} + 1min);
  const PruneResult last = prune(fixture, keep_last(1));
  CHECK(last.packs_deleted == 2);
  CHECK(last.marks_written.empty());
  CHECK(store.has(scene.packs[2]));
  CHECK(store.has(layout::pack_key(scene.shared.name)));
  CHECK(store.keys(layout::k_packs).size() == 2);

  store.advance(days{8});
  keep_busy(store, fixture);
  prune(fixture, keep_last(1));
  CHECK(store.keys(layout::k_marks).empty());
}

TEST_CASE("pruner: what is in doubt or incomplete displaces no complete snapshot, by the manifests alone") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  const auto put = [&](Doubt doubt) {
    store.advance(1min);
    Manifest manifest = EngineFixture::make_manifest("s", store.now(), {});
    Record record = manifest.record;
    record.incomplete = true;
    record.doubt = doubt;
    return fixture.repository.manifests().store(Manifest::make(record, manifest.facts, manifest.root, {}));
  };
  const std::string incomplete = put(Doubt::none);
  put(Doubt::emptied);
  const std::string shrunk = put(Doubt::shrunk);
  for (int run = 0; run < 2; ++run) {
    prune(fixture, keep_last(1));
    auto expected = std::vector<std::string>{scene.keys[2], incomplete, shrunk};
    std::sort(expected.begin(), expected.end());
    CHECK(store.keys(layout::k_snapshots) == expected);
  }
  Pruner pruner{fixture.context, keep_last(1), Apply::no};
  const auto& snapshots = pruner.plan().series.front().snapshots;
  REQUIRE(snapshots.size() == 3);
  CHECK(snapshots[0].decision.reasons == std::vector<std::string>{"last 1/1 of the complete ones"});
  CHECK(snapshots[1].decision.reasons == std::vector<std::string>{"last 1/1 of those not in doubt"});
  CHECK(snapshots[2].decision.reasons == std::vector<std::string>{"last 1/1"});

  // A user who names the last complete one is told.
  Pruner forgetting{fixture.context, forget(scene.ids[2]), Apply::no};
  CHECK(forgetting.plan().series.front().snapshots[0].decision.reasons ==
        std::vector<std::string>{"named", "leaves no complete one"});
}

TEST_CASE("pruner: what a store's own clock that was ahead dated displaces nothing, once it was corrected") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  store.advance(days{365});
  const std::string ahead = fixture.put_manifest("s", store.now(), {});
  store.advance(-days{364});
  auto expected = std::vector<std::string>{scene.keys[2], ahead};
  std::sort(expected.begin(), expected.end());
  prune(fixture, keep_last(1));
  CHECK(store.keys(layout::k_snapshots) == expected);
}

TEST_CASE("pruner: a plan alone changes nothing and takes no lease") {
  MemoryStore store;
  Scene scene{store};
  store.advance(days{8});
  const auto before = store.keys();
  store.on_call = [](const std::string& operation, const std::string& key) {
    if (operation == "put" || operation == "remove") FAIL(operation << " " << key);
  };
  const Pruner pruner{scene.fixture.context, keep_last(1), Apply::no};
  CHECK(pruner.plan().removed_manifests.size() == 2);
  REQUIRE(pruner.plan().series.size() == 1);
  for (const auto& snapshot : pruner.plan().series[0].snapshots) CHECK_FALSE(snapshot.decision.reasons.empty());
  CHECK(store.keys() == before);
}

TEST_CASE("pruner: a run that ends at any call leaves a store that the next run completes") {
  // The state that is left in the end, whatever happened on the way.
  const auto final_state = [](MemoryStore& store, Scene& scene) {
    CHECK(store.has(scene.keys[2]));
    CHECK(store.has(scene.packs[2]));
    CHECK(store.has(layout::pack_key(scene.shared.name)));
    CHECK(store.keys(layout::k_snapshots + std::string{"s/"}).size() == 1);
    CHECK(store.keys(layout::k_packs).size() == 2);
  };
  int killed = 0;
  for (const int phase : {1, 2, 3}) {
    for (int at = 0;; ++at) {
      MemoryStore store;
      Scene scene{store};
      auto& fixture = scene.fixture;
      std::atomic<int> calls = 0;  // several threads read manifests
      bool died = false;
      const auto run = [&](int which) {
        if (which == phase) {
          store.on_call = [&](const std::string&, const std::string&) {
            if (calls++ >= at) throw Killed{};  // and nothing works any more for this process
          };
        }
        try {
          prune(fixture, keep_last(1));
        } catch (const Killed&) {
          died = true;
        }
        store.on_call = nullptr;
        // Every snapshot that is listed has its packs.
        for (const auto& info : fixture.repository.manifests().list()) {
          for (const auto& ref : fixture.repository.manifests().load(info).packs) {
            CHECK(store.has(layout::pack_key(ref.name)));
          }
        }
        store.erase(layout::k_lease);
      };
      store.advance(days{8});
      run(1);
      prune(fixture, keep_last(1));
      store.advance(days{8});
      keep_busy(store, fixture);
      run(2);
      prune(fixture, keep_last(1));
      store.advance(days{15});
      keep_busy(store, fixture);
      run(3);
      prune(fixture, keep_last(1));
      final_state(store, scene);
      CAPTURE(phase);
      CAPTURE(at);
      CHECK(store.keys(layout::k_marks).empty());
      if (!died) break;
      ++killed;
    }
  }
  MESSAGE(killed << " runs ended early, all completed");
  CHECK(killed >= 36);
}

TEST_CASE("pruner: stops are thrown before anything changes") {
  MemoryStore store;
  Scene scene{store};
  store.put("snapshots/s/README", ObjectBody::from_text("not a manifest"));
  store.overwrite(scene.keys[0], "{}");
  store.advance(days{8});
  Pruner pruner{scene.fixture.context, keep_last(1), Apply::yes};
  CHECK(pruner.plan().stops.size() == 2);
  const auto before = store.keys();
  CHECK(kind_of([&] { pruner.execute(); }) == ErrorKind::damaged);
  CHECK(store.keys() == before);
}

TEST_CASE("pruner: what is set aside goes, and the mark says so") {
  MemoryStore store;
  Scene scene{store};
  store.overwrite(scene.keys[0], "{torn");
  store.advance(days{8});
  PruneRequest request = keep_last(3);
  request.settings.set_aside = {scene.keys[0]};
  prune(scene.fixture, request);
  CHECK_FALSE(store.has(scene.keys[0]));
  const auto marks = scene.fixture.repository.notes().marks();
  REQUIRE(marks.size() == 1);
  REQUIRE(marks[0].mark.removed.size() == 1);
  CHECK(marks[0].mark.removed[0].key == scene.keys[0]);
  CHECK(marks[0].mark.removed[0].bytes.empty());
  CHECK(scene.fixture.repository.manifests().list_snapshots().size() == 2);
}

TEST_CASE("pruner: a mark that is set aside leaves nothing uncondemned behind, wherever the run ends") {
  for (int calls = 0;; ++calls) {
    MemoryStore store;
    Scene scene{store};
    store.advance(days{8});
    prune(scene.fixture, keep_last(1));
    const auto lost = store.keys(layout::k_marks).at(0);
    const auto condemned = scene.fixture.repository.notes().marks()[0].mark.packs;
    REQUIRE(condemned.size() == 2);
    store.overwrite(lost, "");
    store.advance(days{8});
    CHECK(kind_of([&] { prune(scene.fixture, keep_last(1)); }) == ErrorKind::damaged);

    PruneRequest request = keep_last(1);
    request.settings.set_aside = {lost};
    bool killed = false;
    int left = calls;
    store.on_call = [&](const std::string&, const std::string&) {
      if (left-- == 0) throw Killed{};
    };
    PruneResult result;
    try {
      result = prune(scene.fixture, request);
    } catch (const Killed&) {
      killed = true;
    }
    store.on_call = nullptr;
    CHECK(result.packs_deleted == 0);
    // Writers and prunes either stop or know what is condemned.
    if (!store.has(lost)) {
      std::set<Digest> known;
      for (const auto& stored : scene.fixture.repository.notes().marks()) {
        known.insert(stored.mark.packs.begin(), stored.mark.packs.end());
      }
      for (const auto& pack : condemned) CHECK(known.contains(pack));
      // The grace began anew.
      store.advance(days{6});
      keep_busy(store, scene.fixture);
      CHECK(prune(scene.fixture, keep_last(1)).packs_deleted == 0);
      store.advance(days{1} + 1min);
      CHECK(prune(scene.fixture, keep_last(1)).packs_deleted == 2);
    }
    CHECK(store.has(scene.packs[2]));
    if (!killed) {
      CHECK_FALSE(store.has(lost));
      break;
    }
  }
}

TEST_CASE("pruner: a pending record that cannot be read is given up, and its packs get their grace") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  const PackRef pack = fixture.put_pack({"of a run"});
  const std::string lost = layout::pending_key(std::string(32, '0'), 1);
  store.put(lost, ObjectBody::from_text(""));
  store.advance(days{8});
  CHECK(kind_of([&] { prune(fixture, keep_last(3)); }) == ErrorKind::damaged);
  PruneRequest request = keep_last(3);
  request.settings.set_aside = {lost};
  CHECK(prune(fixture, request).packs_marked == 1);
  CHECK_FALSE(store.has(lost));
  store.advance(days{6});
  CHECK(prune(fixture, keep_last(3)).packs_deleted == 0);
  CHECK(store.has(layout::pack_key(pack.name)));
  store.advance(days{1} + 1min);
  CHECK(prune(fixture, keep_last(3)).packs_deleted == 1);
}

TEST_CASE("pruner: a mark that is damaged in the store is set aside where the host's cache has it whole") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  MemoryStore store;
  Scene scene{store, directory.path()};
  store.advance(days{8});
  prune(scene.fixture, keep_last(1));
  scene.fixture.repository.notes().marks();
  const auto lost = store.keys(layout::k_marks).at(0);
  store.overwrite(lost, std::string(store.objects().at(lost).bytes.size(), 'x'));
  PruneRequest request = keep_last(1);
  CHECK(kind_of([&] {
          EngineFixture other{store};
          prune(other, request);
        }) == ErrorKind::damaged);
  request.settings.set_aside = {lost};
  CHECK(prune(scene.fixture, request).packs_marked == 2);
  CHECK_FALSE(store.has(lost));
}

TEST_CASE("pruner: a manifest that is listed and not there stops, and can be set aside for good") {
  MemoryStore store;
  Scene scene{store};
  store.lose(scene.keys[0]);
  store.advance(days{8});
  PruneRequest request = keep_last(3);
  CHECK(kind_of([&] { prune(scene.fixture, request); }) == ErrorKind::damaged);
  request.settings.set_aside = {scene.keys[0]};
  prune(scene.fixture, request);
  const std::string mark = store.keys(layout::k_marks).at(0);
  const Mark written = Mark::parse(as_text(*store.get(mark)), mark);
  REQUIRE(written.removed.size() == 1);
  CHECK(written.removed[0].key == scene.keys[0]);
  CHECK(written.removed[0].bytes.empty());
  // Removing what is not there may not mend the server's index.
  store.put(scene.keys[0], ObjectBody::from_text("listed"));
  prune(scene.fixture, keep_last(3));
}

TEST_CASE("pruner: no snapshot goes for the sake of one that is whole in the host's cache alone") {
  for (const Harm how : k_harms) {
    for (const bool by_name : {false, true}) {
      CAPTURE(static_cast<int>(how));
      CAPTURE(by_name);
      const TemporaryDirectory cache{fs::temp_directory_path()};
      MemoryStore store;
      Scene scene{store, cache.path()};
      auto& fixture = scene.fixture;
      store.advance(days{8});
      harm(store, scene.keys[2], how);
      const PruneRequest request = by_name ? forget(scene.ids[1]) : keep_last(1);
      // A plan alone reads nothing again that has its size.
      CHECK(Pruner(fixture.context, request, Apply::no).plan().stops.size() == (how == Harm::flipped ? 0 : 1));
      CHECK(kind_of([&] { prune(fixture, request); }) == ErrorKind::damaged);
      for (const auto& key : scene.keys) CHECK(store.has(key));
      CHECK(store.keys(layout::k_marks).empty());
      // Once it is given up, another one is kept in its place.
      PruneRequest given_up = keep_last(1);
      given_up.settings.set_aside = {scene.keys[2]};
      CHECK(prune(fixture, given_up).manifests_removed == 2);
      CHECK(store.keys(layout::k_snapshots) == std::vector{scene.keys[1]});
    }
  }
}

TEST_CASE("pruner: the mark gets no bytes of a removed manifest that do not fit its name") {
  for (const Harm how : k_harms) {
    CAPTURE(static_cast<int>(how));
    const TemporaryDirectory cache{fs::temp_directory_path()};
    MemoryStore store;
    Scene scene{store, cache.path()};
    auto& fixture = scene.fixture;
    store.advance(days{8});
    harm(store, scene.keys[0], how);
    // By its name it is found as long as its size is right.
    for (const auto& request : {keep_last(2), forget(scene.ids[how == Harm::flipped ? 0 : 1])}) {
      std::string hint;
      try {
        prune(fixture, request);
      } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::damaged);
        hint = e.hint();
      }
      CHECK(hint.find("--set-aside " + scene.keys[0]) != std::string::npos);
    }
    for (const auto& key : scene.keys) CHECK(store.has(key));
    CHECK(store.keys(layout::k_marks).empty());
  }
}

TEST_CASE("pruner: what another prune removed meanwhile is not kept in place of what is there") {
  const TemporaryDirectory cache{fs::temp_directory_path()};
  MemoryStore store;
  store.set_create_only(false);  // no lease keeps the two apart
  Scene scene{store, cache.path()};
  EngineFixture other{store};
  store.advance(days{8});
  bool began = false;
  store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation != "list" || key != layout::k_pending || std::exchange(began, true)) return;
    prune(other, forget(scene.ids[2]));
  };
  Pruner pruner{scene.fixture.context, keep_last(1), Apply::yes};
  CHECK(pruner.execute().manifests_removed == 1);
  CHECK(store.keys(layout::k_snapshots) == std::vector{scene.keys[1]});
}

TEST_CASE("pruner: with a cache, manifests are read of a series of which one goes, once, and by a run that does it") {
  const TemporaryDirectory cache{fs::temp_directory_path()};
  MemoryStore store;
  Scene scene{store, cache.path()};
  auto& fixture = scene.fixture;
  const std::string busy = fixture.put_manifest("busy", store.now(), {});
  store.advance(days{8});
  const std::map<std::string, int> all{{scene.keys[0], 1}, {scene.keys[1], 1}, {scene.keys[2], 1}};
  ReadCounts reads{store};
  Pruner(fixture.context, keep_last(2), Apply::no);
  prune(fixture, keep_last(3));
  CHECK(reads.take().empty());
  // One that goes is read for the mark.
  prune(fixture, keep_last(2));
  CHECK(reads.take() == all);

  MemoryStore cold;
  Scene again{cold};
  EngineFixture host{cold};
  cold.advance(days{8});
  ReadCounts cold_reads{cold};
  prune(host, keep_last(2));
  CHECK(cold_reads.take() == std::map<std::string, int>{{again.keys[0], 2}, {again.keys[1], 1}, {again.keys[2], 1}});
}

TEST_CASE("pruner: a listing that lags behind deletes nothing that a snapshot needs") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  const PackRef loose = fixture.put_pack({"loose"});
  store.advance(days{8});
  prune(fixture, keep_last(3));  // marks the loose pack, having seen all three
  store.advance(days{8});
  keep_busy(store, fixture);
  store.hide(scene.keys[1]);
  {
    Pruner pruner{fixture.context, keep_last(3), Apply::yes};
    CHECK(kind_of([&] { pruner.execute(); }) == ErrorKind::failed);
  }
  CHECK(store.has(layout::pack_key(loose.name)));
  CHECK(store.has(scene.packs[1]));
  store.show_all();
  CHECK(prune(fixture, keep_last(3)).packs_deleted == 1);
  CHECK(store.has(scene.packs[1]));
}

TEST_CASE("pruner: only the series that is named is subject to retention") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  fixture.put_manifest("other", store.now() - 1min, {});
  fixture.put_manifest("other", store.now(), {});
  store.advance(days{8});
  PruneRequest request = keep_last(1);
  request.series = "other";
  CHECK(prune(fixture, request).manifests_removed == 1);
  CHECK(fixture.repository.manifests().list_snapshots("s").size() == 3);
}

TEST_CASE("pruner: pinned snapshots are kept by retention and refused by forget") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  fixture.repository.notes().set_pin(scene.ids[0], "s", true, nullptr);
  store.advance(days{8});
  PruneRequest request;
  request.forget = std::vector{scene.ids[0]};
  CHECK(kind_of([&] { prune(fixture, request); }) == ErrorKind::usage);
  CHECK(prune(fixture, keep_last(1)).manifests_removed == 1);
  CHECK(store.has(scene.keys[0]));
  fixture.repository.notes().set_pin(scene.ids[0], "s", false, nullptr);
  CHECK(prune(fixture, request).manifests_removed == 1);
  CHECK_FALSE(store.has(scene.keys[0]));
  CHECK(kind_of([&] { prune(fixture, request); }) == ErrorKind::not_found);
}

TEST_CASE("pruner: a listing of pins that leaves one out costs no snapshot") {
  bool all = false;
  for (int short_one = 0; !all; ++short_one) {
    MemoryStore store;
    Scene scene{store};
    auto& fixture = scene.fixture;
    fixture.repository.notes().set_pin(scene.ids[0], "s", true, nullptr);
    const std::string pin = store.keys(layout::k_pins).at(0);
    store.advance(days{8});
    int listings = 0;
    store.on_call = [&](const std::string& operation, const std::string& key) {
      if (operation == "list" && key == layout::k_pins) listings++ == short_one ? store.hide(pin) : store.show_all();
    };
    CHECK(prune(fixture, keep_last(1)).manifests_removed == 1);
    CHECK(store.has(scene.keys[0]));
    all = listings <= short_one;
  }
}

TEST_CASE("pruner: the newest snapshot that a drill has proven stays, as long as its newest drill passed") {
  MemoryStore store;
  Scene scene{store};
  Repository& repository = scene.fixture.repository;
  const auto record = [&](std::size_t index, DrillOutcome outcome) {
    store.advance(1min);
    DrillRecord drill;
    drill.series = "s";
    drill.id = scene.ids[index];
    drill.time = store.now();
    drill.outcome = outcome;
    drill.store = repository.descriptor().store_id;
    repository.drills().store(drill);
  };
  const auto kept = [&] {
    Pruner pruner{scene.fixture.context, keep_last(1), Apply::no};
    std::string out;
    for (const auto& snapshot : pruner.plan().series.at(0).snapshots) {
      out += snapshot.decision.verdict == Verdict::keep ? 'k' : '-';
    }
    return out;
  };
  CHECK(kept() == "--k");
  record(0, DrillOutcome::passed);
  CHECK(kept() == "k-k");
  record(1, DrillOutcome::passed);
  CHECK(kept() == "-kk");
  record(1, DrillOutcome::failed);
  CHECK(kept() == "k-k");
  Pruner pruner{scene.fixture.context, keep_last(1), Apply::no};
  CHECK(pruner.plan().series.at(0).snapshots.at(0).decision.reasons ==
        std::vector<std::string>{"newest proven by a drill"});
  // Whoever names it is told.
  Pruner forgetting{scene.fixture.context, forget(scene.ids[0]), Apply::no};
  CHECK(forgetting.plan().series.at(0).snapshots.at(0).decision.reasons ==
        std::vector<std::string>{"named", "proven by a drill"});
  CHECK(prune(scene.fixture, keep_last(1)).manifests_removed == 1);
  CHECK(store.objects().contains(scene.keys[0]));
}

TEST_CASE("pruner: what is pinned while a plan is carried out stays, and the next runs keep its packs") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  store.advance(days{8});
  {
    Pruner pruner{fixture.context, keep_last(1), Apply::yes};
    CHECK(pruner.plan().removed_manifests.size() == 2);
    fixture.repository.notes().set_pin(scene.ids[0], "s", true, nullptr);
    CHECK(pruner.execute().manifests_removed == 1);
  }
  CHECK(store.has(scene.keys[0]));
  for (int run = 0; run < 3; ++run) {
    store.advance(days{8});
    keep_busy(store, fixture);
    prune(fixture, keep_last(1));
  }
  CHECK(store.has(scene.keys[0]));
  CHECK(store.has(scene.packs[0]));
  CHECK_FALSE(store.has(scene.packs[1]));

  PruneRequest request;
  request.forget = std::vector{scene.ids[2]};
  Pruner pruner{fixture.context, request, Apply::yes};
  fixture.repository.notes().set_pin(scene.ids[2], "s", true, nullptr);
  CHECK(kind_of([&] { pruner.execute(); }) == ErrorKind::usage);
  CHECK(store.has(scene.keys[2]));
}

TEST_CASE("pruner: forget may take the last snapshot of a series, and prune goes on after it") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  store.advance(days{8});
  PruneRequest request;
  request.forget = scene.ids;
  CHECK(prune(fixture, request).packs_marked == 4);
  CHECK(store.keys(layout::k_snapshots).empty());
  store.advance(days{8});
  CHECK(prune(fixture, keep_last(1)).packs_deleted == 4);
  CHECK(store.keys(layout::k_packs).empty());
}

TEST_CASE("pruner: a lease that is held means busy, an old one is replaced, a store without conditions has none") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  {
    const Pruner first{fixture.context, keep_last(3), Apply::yes};
    CHECK(store.has(layout::k_lease));
    CHECK(kind_of([&] { prune(fixture, keep_last(3)); }) == ErrorKind::busy);
    CHECK_NOTHROW((Pruner{fixture.context, keep_last(3), Apply::no}));
    store.advance(61min);
    CHECK_NOTHROW(prune(fixture, keep_last(3)));
  }
  MemoryStore plain;
  plain.set_create_only(false);
  Scene without{plain};
  const Pruner first{without.fixture.context, keep_last(3), Apply::yes};
  CHECK_FALSE(plain.has(layout::k_lease));
  CHECK_NOTHROW(prune(without.fixture, keep_last(3)));
}

TEST_CASE("pruner: the lease of one that was killed on this host is replaced at once, another host's is respected") {
  const TemporaryDirectory cache{fs::temp_directory_path()};
  MemoryStore store;
  Scene scene{store, cache.path()};
  const std::string lease = "the lease of one that was killed";
  store.put(layout::k_lease, ObjectBody::from_text(lease));
  CHECK(kind_of([&] { prune(scene.fixture, keep_last(3)); }) == ErrorKind::busy);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    LeaseNote note{scene.fixture.repository.cache()};
    note.add(as_bytes(lease));
    ::_exit(0);
  }
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK_NOTHROW(prune(scene.fixture, keep_last(3)));
  CHECK_FALSE(store.has(layout::k_lease));
  // Its note went with it, and so did that of the run that took its place.
  CHECK(scene.fixture.repository.cache().names("leases").empty());
}

TEST_CASE("pruner: a run that ended while it took its lease keeps nobody of this host waiting") {
  const TemporaryDirectory cache{fs::temp_directory_path()};
  MemoryStore store;
  Scene scene{store, cache.path()};
  store.on_call = [](const std::string& operation, const std::string& key) {
    if (operation == "after put" && key == layout::k_lease) throw Error(ErrorKind::interrupted, "interrupted");
  };
  CHECK(kind_of([&] { prune(scene.fixture, keep_last(3)); }) == ErrorKind::interrupted);
  store.on_call = {};
  CHECK(store.has(layout::k_lease));
  CHECK_NOTHROW(prune(scene.fixture, keep_last(3)));
  CHECK_FALSE(store.has(layout::k_lease));
}

TEST_CASE("pruner: an interrupted run gives its lease back to a store that obeys signals, as S3 does") {
  MemoryStore store;
  Scene scene{store};
  store.on_call = [](const std::string&, const std::string&) { check_interrupted(); };
  {
    Pruner pruner{scene.fixture.context, keep_last(1), Apply::yes};
    CHECK(store.has(layout::k_lease));
    set_interrupted(SIGINT);
    CHECK(kind_of([&] { pruner.execute(); }) == ErrorKind::interrupted);
  }
  CHECK(interrupted_by() == SIGINT);
  set_interrupted(0);
  CHECK_FALSE(store.has(layout::k_lease));
  CHECK(scene.fixture.reporter.warnings.empty());
}

TEST_CASE("pruner: an interruption while a manifest is read ends the run, it is no fault of the manifest") {
  MemoryStore store;
  Scene scene{store};
  store.on_call = [](const std::string& operation, const std::string& key) {
    if (operation == "get" && key.starts_with(layout::k_snapshots)) throw Error(ErrorKind::interrupted, "interrupted");
  };
  CHECK(kind_of([&] { Pruner(scene.fixture.context, keep_last(1), Apply::no); }) == ErrorKind::interrupted);
}

TEST_CASE("pruner: a run that stood still between two steps gives up, a long one keeps its lease") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  store.advance(days{8});
  Pruner stalled{fixture.context, keep_last(1), Apply::yes};
  store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation == "after put" && key.starts_with(layout::k_marks)) store.advance(61min);
  };
  CHECK(kind_of([&] { stalled.execute(); }) == ErrorKind::failed);
  CHECK(store.keys(layout::k_snapshots).size() == 3);
  store.erase(layout::k_lease);

  PruneLease lease{fixture.context};
  store.advance(50min);
  lease.renew(store.now());
  store.advance(50min);
  CHECK(kind_of([&] { prune(fixture, keep_last(1)); }) == ErrorKind::busy);
}

TEST_CASE("pruner: a run that stood still while it listed deletes nothing that was committed meanwhile") {
  for (const bool short_sleep : {false, true}) {
    CAPTURE(short_sleep);
    MemoryStore store;
    Scene scene{store};
    Repository& repository = scene.fixture.repository;
    const Manifest first = repository.manifests().load(repository.manifests().list().front());
    prune(scene.fixture, keep_last(2));
    CHECK(scene.fixture.repository.manifests().list().size() == 2);
    // Nine days pass at once, or the last half hour before the grace is over.
    store.advance(short_sleep ? days{7} - 20min : days{1});
    bool slept = false;
    store.on_call = [&](const std::string& operation, const std::string& key) {
      if (operation != "list" || key != layout::k_packs || slept) return;
      slept = true;
      scene.fixture.put_manifest("late", store.now(), first.packs);
      store.advance(short_sleep ? Nanoseconds{30min} : Nanoseconds{days{9}});
    };
    if (short_sleep) {
      prune(scene.fixture, keep_last(2));
    } else {
      CHECK(kind_of([&] { prune(scene.fixture, keep_last(2)); }) == ErrorKind::failed);
    }
    CHECK(slept);
    CHECK(store.has(scene.packs[0]));
  }
}

TEST_CASE("pruner: undo puts back what the newest run removed, and it stays there") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  store.advance(days{8});
  CHECK(kind_of([&] { undo_prune(fixture.context, Apply::yes); }) == ErrorKind::not_found);
  prune(fixture, keep_last(1));
  CHECK(undo_prune(fixture.context, Apply::no).restored.size() == 2);
  CHECK(store.keys(layout::k_snapshots).size() == 1);
  const UndoResult undone = undo_prune(fixture.context, Apply::yes);
  CHECK(undone.restored.size() == 2);
  CHECK(undone.lost.empty());
  CHECK(fixture.repository.manifests().list_snapshots().size() == 3);
  CHECK(kind_of([&] { undo_prune(fixture.context, Apply::yes); }) == ErrorKind::not_found);
  // Marked for longer than the grace, but referenced.
  store.advance(days{8});
  keep_busy(store, fixture);
  CHECK(prune(fixture, keep_last(3)).packs_deleted == 0);
  // The old removal record does not explain a listing that lacks it now.
  store.hide(scene.keys[0]);
  {
    Pruner pruner{fixture.context, keep_last(3), Apply::yes};
    CHECK(pruner.plan().stops.size() == 1);
  }
  store.show_all();
  // Removed once more, they are gone after one grace, and marks that are left of all this do not mind.
  CHECK(prune(fixture, keep_last(1)).manifests_removed == 2);
  store.advance(days{8});
  keep_busy(store, fixture);
  CHECK(prune(fixture, keep_last(1)).packs_deleted == 2);
  store.advance(days{15});
  keep_busy(store, fixture);
  prune(fixture, keep_last(1));
  CHECK(store.keys(layout::k_marks).empty());
}

TEST_CASE("pruner: a snapshot whose removal was recorded and did not come about outlives one listing without it") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  store.advance(days{8});
  PruneRequest forget;
  forget.forget = {scene.ids[2]};
  store.on_call = [](const std::string& operation, const std::string& key) {
    if (operation == "remove" && key.starts_with(layout::k_snapshots)) throw Killed{};
  };
  CHECK_THROWS_AS(prune(fixture, forget), Killed);
  store.on_call = nullptr;
  store.erase(layout::k_lease);
  REQUIRE(store.has(scene.keys[2]));
  store.advance(days{8});
  keep_busy(store, fixture);
  // Only the first listing of manifests is short.
  store.hide(scene.keys[2]);
  bool first = true;
  store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation == "list" && key == layout::k_snapshots && !std::exchange(first, false)) store.show_all();
  };
  CHECK(prune(fixture, keep_last(3)).packs_deleted == 0);
  CHECK_FALSE(first);
  CHECK(store.has(scene.packs[2]));
}

TEST_CASE("pruner: undo ends at any call, and the next one completes it") {
  int killed = 0;
  for (int at = 0;; ++at) {
    MemoryStore store;
    Scene scene{store};
    auto& fixture = scene.fixture;
    store.advance(days{8});
    prune(fixture, keep_last(1));
    std::atomic<int> calls = 0;  // several threads read manifests
    store.on_call = [&](const std::string&, const std::string&) {
      if (calls++ >= at) throw Killed{};
    };
    bool died = false;
    try {
      undo_prune(fixture.context, Apply::yes);
    } catch (const Killed&) {
      died = true;
    }
    store.on_call = nullptr;
    store.erase(layout::k_lease);
    if (!died) break;
    ++killed;
    try {
      undo_prune(fixture.context, Apply::yes);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::not_found);  // it had come to its end
    }
    CHECK(fixture.repository.manifests().list_snapshots().size() == 3);
    store.hide(scene.keys[0]);
    CHECK_FALSE((Pruner{fixture.context, keep_last(3), Apply::no}).plan().stops.empty());
  }
  MESSAGE(killed << " undos ended early, all completed");
  CHECK(killed > 10);
}

TEST_CASE("pruner: undo tells what is lost") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  store.advance(days{8});
  prune(fixture, keep_last(1));
  store.erase(scene.packs[0]);
  const UndoResult undone = undo_prune(fixture.context, Apply::yes);
  CHECK(undone.restored == std::vector<std::string>{scene.keys[1]});
  REQUIRE(undone.lost.size() == 1);
  CHECK(undone.lost[0].key == scene.keys[0]);
  CHECK(undone.lost[0].cause.find("is gone") != std::string::npos);
}

TEST_CASE("pruner: undo puts back no bytes that do not fit the name") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  store.advance(days{8});
  prune(fixture, keep_last(1));
  // As an earlier program made it, of a manifest that was damaged when it went.
  auto mark = fixture.repository.notes().marks(Mark::RemovedBytes::keep).at(0);
  mark.mark.removed.at(0).bytes += '\n';
  store.erase(mark.key);
  fixture.repository.notes().store_mark(mark.mark);
  for (const Apply apply : {Apply::no, Apply::yes}) {
    const UndoResult undone = undo_prune(fixture.context, apply);
    CHECK(undone.restored == std::vector<std::string>{scene.keys[1]});
    REQUIRE(undone.lost.size() == 1);
    CHECK(undone.lost[0].key == scene.keys[0]);
    CHECK(undone.lost[0].cause.find("do not fit its name") != std::string::npos);
  }
  CHECK(fixture.repository.manifests().list_snapshots().size() == 2);
  CHECK(Pruner(fixture.context, keep_last(2), Apply::no).plan().stops.empty());
}

TEST_CASE("pruner: undo is not misled by listings that lag") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  store.advance(days{8});
  prune(fixture, keep_last(2));
  store.advance(days{8});
  keep_busy(store, fixture);
  // Of what this run does listings show nothing: neither that a pack of the first snapshot goes, nor the mark.
  store.freeze_listings();
  CHECK(prune(fixture, keep_last(2)).packs_deleted == 1);
  const UndoResult undone = undo_prune(fixture.context, Apply::yes);
  CHECK(undone.restored.empty());
  CHECK(undone.lost.size() == 1);
  CHECK_FALSE(store.has(scene.keys[0]));
}

TEST_CASE("pruner: a manifest that listings still show is not restored by a run that did not see it go") {
  const TemporaryDirectory cache{fs::temp_directory_path()};
  MemoryStore store;
  Scene scene{store, cache.path()};
  auto& fixture = scene.fixture;
  store.advance(days{8});
  {
    // It ends after its mark, and what it meant to remove stays.
    Pruner pruner{fixture.context, keep_last(2), Apply::yes};
    store.on_call = [](const std::string& operation, const std::string& key) {
      if (operation == "remove" && key.starts_with(layout::k_snapshots)) throw Error(ErrorKind::interrupted, "killed");
    };
    CHECK(kind_of([&] { pruner.execute(); }) == ErrorKind::interrupted);
    store.on_call = {};
  }
  CHECK(store.has(scene.keys[0]));
  store.advance(3h);
  store.freeze_listings();
  CHECK(prune(fixture, keep_last(2)).manifests_removed == 1);
  CHECK_FALSE(store.has(scene.keys[0]));
  store.advance(5s);
  PruneRequest forget;
  forget.forget = {scene.ids[1]};
  CHECK(prune(fixture, forget).manifests_removed == 1);
  store.show_all();
  store.advance(days{8});
  keep_busy(store, fixture);
  CHECK(prune(fixture, keep_last(2)).packs_deleted == 2);
}

TEST_CASE("pruner: many removed manifests are spread over several marks, which undo takes together") {
  MemoryStore store;
  EngineFixture fixture{store};
  std::vector<Digest> ids;
  for (int i = 0; i < 4; ++i) {
    const Manifest manifest = EngineFixture::make_manifest("s", store.now() + i * 1min, {});
    ids.push_back(manifest.id);
    fixture.repository.manifests().store(manifest);
  }
  store.advance(days{8});
  PruneRequest request;
  request.forget = ids;
  request.mark_bytes = 1500;
  CHECK(prune(fixture, request).marks_written.size() > 1);
  CHECK(undo_prune(fixture.context, Apply::yes).restored.size() == 4);
}

TEST_CASE("pruner: two phases on a directory store, with no grace and exclusive use") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore store{directory.path()};
  EngineFixture fixture{store};
  const PackRef shared = fixture.put_pack({"shared"});
  const Time start = store.now();
  for (int i = 0; i < 3; ++i) {
    const PackRef own = fixture.put_pack({std::to_string(i)});
    fixture.put_manifest("s", start - 3min + i * 1min, {shared, own});
  }
  PruneRequest request = keep_last(1);
  request.settings.grace = Nanoseconds{0};
  CHECK(kind_of([&] { Pruner(fixture.context, request, Apply::no); }) == ErrorKind::usage);
  request.settings.exclusive = true;
  CHECK(prune(fixture, request).packs_marked == 2);
  CHECK(prune(fixture, request).packs_deleted == 2);
  const auto left = fixture.repository.manifests().list();
  REQUIRE(left.size() == 1);
  for (const auto& ref : fixture.repository.manifests().load(left[0]).packs) {
    CHECK(store.head(layout::pack_key(ref.name)).has_value());
  }
}
