#include "engine/prune/prune_plan.hpp"

#include "repo/layout.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;
using namespace std::chrono_literals;
using std::chrono::days;

namespace {

const Time k_now{days{20'000}};

// Builds evidence in few words: packs and snapshots are called by short names, times are ages.
struct Scene {
  PruneEvidence evidence;
  std::map<Digest, RetentionDecision> decisions;
  PruneSettings settings;

  Scene() {
    evidence.since = evidence.now = k_now;
    // So that the clock looks right: something was stored lately.
    evidence.marks.push_back({"marks/recent", k_now - 1h, Mark{k_now - 1h, k_now - 1h, {}, {}, {}, {}}});
  }
  static Digest digest(const std::string& name) { return sha256(name); }
  static std::string key(const std::string& name) { return "snapshots/s/" + name; }

  std::uint32_t pack(const std::string& name, Nanoseconds age = days{30}) {
    evidence.packs.push_back({digest(name), true, 100, k_now - age});
    return static_cast<std::uint32_t>(evidence.packs.size() - 1);
  }
  void snapshot(const std::string& name, std::vector<std::uint32_t> packs, const std::string& object = {}) {
    PruneEvidence::StoredManifest manifest;
    manifest.key = key(object.empty() ? name : object);
    manifest.series = "s";
    manifest.id = digest(name);
    manifest.cut_point = k_now - 48h;
    manifest.stored_at = k_now - 48h;
    manifest.packs = std::move(packs);
    evidence.manifests.push_back(std::move(manifest));
  }
  void remove(const std::string& name) { decisions[digest(name)] = {Verdict::remove, {"no rule keeps it"}}; }
  Mark& mark(Nanoseconds age, const std::vector<std::string>& packs, std::vector<std::string> seen = {},
             std::vector<std::string> removed = {}) {
    Mark mark;
    mark.time = k_now - age;
    mark.newest_object = k_now - age - 1h;
    for (const auto& name : packs) mark.packs.push_back(digest(name));
    for (const auto& name : seen) mark.seen.push_back(key(name));
    for (const auto& name : removed) mark.removed.push_back({key(name), "bytes"});
    evidence.marks.push_back({fmt::format("marks/{:04}", evidence.marks.size()), k_now - age, std::move(mark)});
    return evidence.marks.back().mark;
  }
  void pending(const std::string& run, Nanoseconds age, std::vector<std::uint32_t> packs) {
    evidence.pending.push_back({fmt::format("pending/{}-{}", run, evidence.pending.size()), run, k_now - age, packs});
  }
  PrunePlan plan() const { return plan_prune(evidence, decisions, settings); }
};

std::vector<Digest> names(const std::vector<std::string>& packs) {
  std::vector<Digest> out;
  for (const auto& name : packs) out.push_back(Scene::digest(name));
  return out;
}

bool stopped_by(const PrunePlan& plan, const std::string& text) {
  return std::any_of(plan.stops.begin(), plan.stops.end(),
                     [&](const Error& e) { return e.message().find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("prune plan: packs of manifests are kept, others are marked, none is deleted at once") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.pack("loose");
  scene.snapshot("a", {used});
  const PrunePlan plan = scene.plan();
  CHECK(plan.stops.empty());
  CHECK(plan.marked_packs == names({"loose"}));
  CHECK(plan.deleted_packs.empty());
  CHECK(plan.staying_manifests == std::vector<std::string>{Scene::key("a")});
  CHECK(plan.kept.packs == 1);
  CHECK(plan.marked_now.bytes == 100);
  CHECK(plan.mark_time == k_now);
  CHECK(plan.newest_object == k_now - 1h);
}

TEST_CASE("prune plan: a pack younger than the grace is not marked") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pack("young", days{7} - 1s);
  scene.pack("old", days{7});
  const PrunePlan plan = scene.plan();
  CHECK(plan.marked_packs == names({"old"}));
  CHECK(plan.young.packs == 1);
}

TEST_CASE("prune plan: a marked pack is deleted when the newest mark on it is older than the grace") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pack("ripe");
  scene.pack("marked again");
  scene.mark(days{9}, {"ripe", "marked again"}, {"a"});
  scene.mark(days{3}, {"marked again"}, {"a"});
  const PrunePlan plan = scene.plan();
  CHECK(plan.stops.empty());
  CHECK(plan.deleted_packs == names({"ripe"}));
  CHECK(plan.marked_packs.empty());
  CHECK(plan.waiting.packs == 1);
  CHECK(plan.freed_now.bytes == 100);
}

TEST_CASE("prune plan: a mark's age is that of its object where its own time says more") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pack("loose");
  scene.mark(days{9}, {"loose"});
  scene.evidence.marks.back().modified = k_now - days{1};
  CHECK(scene.plan().deleted_packs.empty());
  CHECK(scene.plan().waiting.packs == 1);
}

TEST_CASE("prune plan: a mark older than what it saw is void, its packs are marked anew") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pack("loose");
  scene.mark(days{9}, {"loose"}).newest_object = k_now - days{2};
  const PrunePlan plan = scene.plan();
  CHECK(plan.deleted_packs.empty());
  CHECK(plan.marked_packs == names({"loose"}));
}

TEST_CASE("prune plan: a marked pack that a manifest names is kept, and marked anew when its last manifest goes") {
  Scene scene;
  const auto shared = scene.pack("shared");
  const auto own = scene.pack("own");
  scene.snapshot("a", {shared, own});
  scene.snapshot("b", {shared});
  scene.mark(days{9}, {"own", "shared"});
  CHECK(scene.plan().deleted_packs.empty());
  CHECK(scene.plan().marked_packs.empty());
  scene.remove("a");
  const PrunePlan plan = scene.plan();
  CHECK(plan.removed_manifests == std::vector<std::string>{Scene::key("a")});
  CHECK(plan.staying_manifests == std::vector<std::string>{Scene::key("b")});
  CHECK(plan.deleted_packs.empty());
  CHECK(plan.marked_packs == names({"own"}));
}

TEST_CASE("prune plan: two manifests of one id are one snapshot, keep the packs of both, and go together") {
  Scene scene;
  const auto first = scene.pack("first");
  const auto second = scene.pack("second");
  const auto other = scene.pack("other");
  scene.snapshot("a", {first}, "a-1");
  scene.snapshot("a", {second}, "a-2");
  scene.snapshot("b", {other});
  CHECK(scene.plan().marked_packs.empty());
  REQUIRE(scene.plan().series.size() == 1);
  CHECK(scene.plan().series[0].snapshots.size() == 2);
  scene.remove("a");
  const PrunePlan plan = scene.plan();
  CHECK(plan.removed_manifests == std::vector<std::string>{Scene::key("a-1"), Scene::key("a-2")});
  CHECK(plan.marked_packs == names({"first", "second"}));
}

TEST_CASE("prune plan: the packs of a run stay while its newest pending record is younger than the grace") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  const auto early = scene.pack("early");
  const auto late = scene.pack("late");
  const auto dead = scene.pack("dead");
  scene.pending("run1", days{10}, {early});
  scene.pending("run1", days{1}, {late});
  scene.pending("run2", days{8}, {dead});
  const PrunePlan plan = scene.plan();
  CHECK(plan.marked_packs == names({"dead"}));
  CHECK(plan.kept.packs == 3);
  CHECK(plan.deleted_pending.empty());
}

TEST_CASE("prune plan: pending records go when their run's newest one is older than twice the grace") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pending("run1", days{20}, {});
  scene.pending("run1", days{13}, {});
  scene.pending("run2", days{14}, {});
  CHECK(scene.plan().deleted_pending == std::vector<std::string>{"pending/run2-2"});
}

TEST_CASE("prune plan: a manifest that a mark saw and that is not there stops everything") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pack("loose");
  scene.mark(days{9}, {"loose"}, {"a", "gone"});
  CHECK(stopped_by(scene.plan(), "has shrunk: 'snapshots/s/gone'"));
  SUBCASE("unless a mark has its removal record") {
    scene.mark(days{8}, {}, {"a"}, {"gone"});
    CHECK(scene.plan().stops.empty());
    CHECK(scene.plan().deleted_packs == names({"loose"}));
  }
  SUBCASE("a removal record is of no use where it was restored since") {
    scene.mark(days{10}, {}, {"a"}, {"gone"});
    CHECK(scene.plan().stops.empty());
    scene.mark(days{8}, {}, {"a", "gone"}).restored = {Scene::key("gone")};
    CHECK(stopped_by(scene.plan(), "has shrunk"));
    scene.mark(days{6}, {}, {"a"}, {"gone"});
    CHECK(scene.plan().stops.empty());
  }
  SUBCASE("but holds where it is newer than all that the restoring mark saw") {
    scene.mark(days{10}, {}, {"a"}, {"gone"});
    scene.mark(days{8} + 30min, {}, {"a"}, {"gone"});
    Mark& restored = scene.mark(days{8}, {}, {"a", "gone"});
    restored.restored = {Scene::key("gone")};
    CHECK(scene.plan().stops.empty());
    restored.newest_object = k_now - days{8} - 30min;
    CHECK(stopped_by(scene.plan(), "has shrunk"));
  }
  SUBCASE("or it is given up by name: recorded as removed, and everything gets a new grace") {
    scene.settings.set_aside = {Scene::key("gone")};
    const PrunePlan plan = scene.plan();
    CHECK(plan.stops.empty());
    CHECK(plan.lost_manifests == std::vector<std::string>{Scene::key("gone")});
    CHECK(plan.removed_manifests.empty());
    CHECK(plan.deleted_packs.empty());
    CHECK(plan.marked_packs == names({"loose"}));
    CHECK(plan.writes_mark());
  }
}

TEST_CASE("prune plan: the order of marks survives a clock that was wrong") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.mark(days{10}, {}, {"a"}, {"gone"});
  // Restored later, when the clock had gone back; it knew by the objects that it was later.
  Mark& restored = scene.mark(days{30}, {}, {"a", "gone"});
  restored.restored = {Scene::key("gone")};
  restored.newest_object = k_now - days{9};
  CHECK(stopped_by(scene.plan(), "has shrunk"));
}

TEST_CASE("prune plan: a manifest that outlives its removal record is recorded as restored") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.mark(90min, {}, {}, {"a"});
  CHECK(scene.plan().restored_manifests.empty());  // that run may still be at it
  scene.evidence.marks.pop_back();
  scene.mark(3h, {}, {}, {"a"});
  CHECK(scene.plan().restored_manifests == std::vector<std::string>{Scene::key("a")});
  CHECK(scene.plan().writes_mark());
  scene.mark(2h, {}, {"a"}).restored = {Scene::key("a")};
  CHECK(scene.plan().restored_manifests.empty());
  CHECK(scene.plan().empty());
}

TEST_CASE("prune plan: no manifest at all where there are packs stops, unless marks explain it") {
  Scene scene;
  scene.evidence.marks.clear();
  scene.pack("loose");
  CHECK(stopped_by(scene.plan(), "not one manifest"));
  scene.mark(days{8}, {"loose"}, {}, {"last"});
  CHECK(scene.plan().stops.empty());
}

TEST_CASE("prune plan: an empty store needs nothing") {
  Scene scene;
  scene.evidence.marks.clear();
  const PrunePlan plan = scene.plan();
  CHECK(plan.stops.empty());
  CHECK(plan.empty());
}

TEST_CASE("prune plan: a pack that a snapshot needs and the listing lacks stops prune, not forget of that snapshot") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.evidence.packs[used].listed = false;
  scene.snapshot("a", {used});
  scene.snapshot("b", {});
  CHECK(stopped_by(scene.plan(), "lacks '" + layout::pack_key(Scene::digest("used"))));
  scene.remove("a");
  CHECK(scene.plan().stops.empty());
  scene.decisions.clear();
  scene.settings.scope = PruneSettings::Scope::forget;
  CHECK(scene.plan().stops.empty());
}

TEST_CASE("prune plan: a snapshot whose second manifest is whole needs no more") {
  Scene scene;
  const auto gone = scene.pack("gone");
  const auto again = scene.pack("again");
  scene.evidence.packs[gone].listed = false;
  scene.snapshot("a", {gone}, "a-1");
  CHECK_FALSE(scene.plan().stops.empty());
  scene.snapshot("a", {again}, "a-2");
  CHECK(scene.plan().stops.empty());
}

TEST_CASE(
    "prune plan: a copy that no trusted key vouches for removes no manifest, and goes beside one that has its word") {
  Scene scene;
  const auto good = scene.pack("good");
  const auto garbage = scene.pack("garbage");
  scene.snapshot("a", {good}, "a-1");
  scene.snapshot("a", {garbage}, "a-2");
  scene.evidence.manifests[1].stored_at += 24h;
  scene.evidence.manifests[1].vouched = false;
  SUBCASE("a mark on the real packs was planted beside it") {
    scene.mark(days{9}, {"good"});
    CHECK(scene.plan().removed_manifests.empty());
  }
  SUBCASE("it goes") {
    CHECK(scene.plan().removed_manifests == std::vector<std::string>{Scene::key("a-2")});
  }
  SUBCASE("nobody vouches for either") {
    scene.evidence.manifests[0].vouched = false;
    scene.mark(days{9}, {"good"});
    CHECK(scene.plan().removed_manifests.empty());
  }
  SUBCASE("it does not hide that the real one lacks a pack") {
    scene.evidence.packs[good].listed = false;
    CHECK(stopped_by(scene.plan(), "lacks"));
  }
}

TEST_CASE("prune plan: a manifest whose snapshot was repaired by a later one goes, the other way round it stays") {
  Scene scene;
  const auto good = scene.pack("good");
  const auto bad = scene.pack("bad");
  const auto fresh = scene.pack("fresh", 1h);
  scene.snapshot("a", {good, bad}, "a-1");
  scene.snapshot("a", {good, fresh}, "a-2");
  scene.evidence.manifests[1].stored_at += 24h;
  CHECK(scene.plan().removed_manifests.empty());

  scene.mark(days{9}, {"bad"});
  PrunePlan plan = scene.plan();
  CHECK(plan.stops.empty());
  CHECK(plan.removed_manifests == std::vector<std::string>{Scene::key("a-1")});
  CHECK(plan.staying_manifests == std::vector<std::string>{Scene::key("a-2")});
  // It was needed till now: its grace begins now.
  CHECK(plan.marked_packs == names({"bad"}));
  CHECK(plan.deleted_packs.empty());
  CHECK(plan.series.at(0).snapshots.size() == 1);

  scene.settings.scope = PruneSettings::Scope::forget;
  CHECK(scene.plan().removed_manifests.empty());
  scene.settings.scope = PruneSettings::Scope::prune;

  // A manifest that cannot be relied on, or came before, supersedes nothing.
  scene.evidence.manifests[1].trusted = false;
  CHECK(scene.plan().removed_manifests.empty());
  scene.evidence.manifests[1].trusted = true;
  scene.evidence.manifests[1].stored_at -= 48h;
  CHECK(scene.plan().removed_manifests.empty());
  scene.evidence.manifests[1].stored_at += 48h;
  scene.mark(1h, {"fresh"});
  CHECK(scene.plan().removed_manifests.empty());
}

TEST_CASE("prune plan: a manifest that cannot be read stops, and can be set aside by name only") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pack("loose");
  scene.mark(days{9}, {"loose"}, {"a"});
  ErrorKind kind = ErrorKind::damaged;
  SUBCASE("damaged") {}
  SUBCASE("listed, and not there") {
    kind = ErrorKind::not_found;
  }
  scene.evidence.unreadable.push_back({Scene::key("bad"), k_now - 48h, Error(kind, "torn")});
  CHECK(stopped_by(scene.plan(), "'snapshots/s/bad' cannot be read as a manifest: torn"));
  CHECK(scene.plan().stops[0].kind() == ErrorKind::damaged);
  scene.settings.set_aside = {Scene::key("bad")};
  const PrunePlan plan = scene.plan();
  CHECK(plan.stops.empty());
  CHECK(plan.removed_manifests == std::vector<std::string>{Scene::key("bad")});
  // Nobody knows what it needed, so nothing is deleted and every loose pack gets a new grace.
  CHECK(plan.deleted_packs.empty());
  CHECK(plan.marked_packs == names({"loose"}));
}

TEST_CASE("prune plan: only what is unreadable or lost can be set aside") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.settings.set_aside = {Scene::key("a")};
  CHECK_THROWS_WITH_AS(scene.plan(), "unable to set manifest 'snapshots/s/a' aside: it can be read", Error);
  scene.settings.set_aside = {Scene::key("newer")};
  scene.evidence.unreadable.push_back({Scene::key("newer"), k_now, Error(ErrorKind::failed, "newer version")});
  CHECK_THROWS_AS(scene.plan(), Error);
  scene.settings.set_aside = {Scene::key("typo")};
  CHECK_THROWS_AS(scene.plan(), Error);
}

TEST_CASE("prune plan: a feature of prune that is not known stops") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.evidence.manifests[0].requires_prune = {"holds"};
  CHECK(stopped_by(scene.plan(), "needs feature 'holds'"));
}

TEST_CASE(
    "prune plan: a clock behind an object, or 30 days past all of them, deletes nothing until it is said to be right") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pack("loose", days{90});
  SUBCASE("behind") {
    scene.mark(days{8}, {"loose"});
    scene.pack("from the future", -6s);
    CHECK(stopped_by(scene.plan(), "before its newest object"));
  }
  SUBCASE("far past") {
    scene.evidence.marks.clear();
    scene.mark(days{31}, {"loose"});
    for (auto& manifest : scene.evidence.manifests) manifest.stored_at = k_now - days{40};
    scene.evidence.packs[used].modified = k_now - days{40};
    CHECK(stopped_by(scene.plan(), "more than 30 days after"));
  }
  CHECK(scene.plan().deleted_packs == names({"loose"}));
  scene.settings.clock_ok = true;
  CHECK(scene.plan().stops.empty());
}

TEST_CASE("prune plan: a doubtful clock stops nothing where nothing would be deleted") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pack("from the future", -1h);
  scene.pack("loose");
  const PrunePlan plan = scene.plan();
  CHECK(plan.stops.empty());
  CHECK(plan.marked_packs == names({"loose"}));
  // The mark that will be written says by itself that its time cannot be relied on.
  CHECK(plan.mark_time < plan.newest_object);
}

TEST_CASE("prune plan: servers that differ by seconds make no void mark") {
  Scene scene;
  const auto used = scene.pack("used", -3s);
  scene.snapshot("a", {used});
  scene.pack("loose");
  CHECK(scene.plan().mark_time == k_now + 3s);
}

TEST_CASE("prune plan: a grace below an hour needs exclusive use") {
  Scene scene;
  scene.settings.grace = 59min;
  CHECK_THROWS_AS(scene.plan(), Error);
  scene.settings.exclusive = true;
  CHECK_NOTHROW(scene.plan());
  scene.settings.exclusive = false;
  scene.settings.grace = 1h;
  CHECK_NOTHROW(scene.plan());
}

TEST_CASE("prune plan: marks go oldest first, when their packs are gone or marked anew and their grace is over twice") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pack("again");
  scene.mark(days{20}, {"gone"}, {"a"});      // marks/0001: served
  scene.mark(days{18}, {"again"}, {"a"});     // marks/0002: named by a newer one
  scene.mark(days{13}, {"gone too"}, {"a"});  // marks/0003: too young
  scene.mark(days{3}, {"again"}, {"a"});
  CHECK(scene.plan().deleted_marks == std::vector<std::string>{"marks/0001", "marks/0002"});
}

TEST_CASE("prune plan: a mark stays while its pack does") {
  Scene scene;
  const auto used = scene.pack("used");
  const auto condemned = scene.pack("condemned");
  // A writer was quicker than the mark: the pack is referenced, and condemned for ever.
  scene.snapshot("a", {used, condemned});
  scene.mark(days{20}, {"condemned"}, {"a"});
  scene.mark(days{18}, {"gone"}, {"a"});
  CHECK(scene.plan().deleted_marks == std::vector<std::string>{"marks/0002"});
}

TEST_CASE("prune plan: a removal record stays while a mark that saw the manifest does") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pack("stuck");
  // Two prunes at one time: the second saw what the first was just removing.
  scene.mark(days{20}, {}, {"a"}, {"x"});
  scene.mark(days{19}, {"stuck"}, {"a", "x"});
  SUBCASE("it is the only one") {
    CHECK(scene.plan().deleted_marks.empty());
  }
  SUBCASE("another record is as good") {
    scene.mark(days{1}, {}, {"a"}, {"x"});
    CHECK(scene.plan().deleted_marks == std::vector<std::string>{"marks/0001"});
  }
  SUBCASE("the one that saw it goes first") {
    scene.mark(days{2}, {"stuck"}, {"a"});
    CHECK(scene.plan().deleted_marks == std::vector<std::string>{"marks/0002", "marks/0001"});
  }
}

TEST_CASE("prune plan: what restored a manifest stays while a removal record of it does") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("a", {used});
  scene.pack("stuck");
  scene.mark(days{20}, {"stuck"}, {}, {"a"});
  scene.mark(days{18}, {}, {"a"}).restored = {Scene::key("a")};
  CHECK(scene.plan().deleted_marks.empty());
  scene.mark(days{2}, {"stuck"}, {"a"});
  CHECK(scene.plan().deleted_marks == std::vector<std::string>{"marks/0001", "marks/0002"});
}

TEST_CASE("prune plan: a later removal does not keep what restored a manifest before") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("b", {used});
  scene.mark(days{20}, {}, {"b"}, {"a"});
  scene.mark(days{18}, {}, {"a", "b"}).restored = {Scene::key("a")};
  scene.mark(days{2}, {}, {"b"}, {"a"});
  CHECK(scene.plan().stops.empty());
  CHECK(scene.plan().deleted_marks == std::vector<std::string>{"marks/0001", "marks/0002"});
}

TEST_CASE("prune plan: a void removal record is no proof, so the one that holds stays") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.snapshot("b", {used});
  scene.pack("stuck");
  scene.mark(days{20}, {"stuck"}, {"b"}, {"a"});  // stays for its pack
  scene.mark(days{18}, {}, {"a", "b"}).restored = {Scene::key("a")};
  scene.mark(days{16}, {}, {"b"}, {"a"});
  CHECK(scene.plan().stops.empty());
  CHECK(scene.plan().deleted_packs == names({"stuck"}));
  CHECK(scene.plan().deleted_marks.empty());
}

TEST_CASE("prune plan: forget removes and marks, and deletes nothing") {
  Scene scene;
  const auto used = scene.pack("used");
  scene.pack("ripe");
  scene.snapshot("a", {used});
  scene.mark(days{20}, {"ripe"}, {"a"});
  scene.mark(days{15}, {"gone"}, {"a"});
  scene.pending("run", days{20}, {});
  scene.remove("a");
  scene.settings.scope = PruneSettings::Scope::forget;
  const PrunePlan plan = scene.plan();
  CHECK(plan.stops.empty());
  CHECK(plan.removed_manifests.size() == 1);
  CHECK(plan.marked_packs == names({"used"}));
  CHECK(plan.deleted_packs.empty());
  CHECK(plan.deleted_marks.empty());
  CHECK(plan.deleted_pending.empty());
  scene.settings.scope = PruneSettings::Scope::prune;
  CHECK(stopped_by(scene.plan(), "would leave nothing of series 's'"));
}

TEST_CASE("prune plan: a mark that cannot be read stops; set aside, what it may have condemned is condemned anew") {
  Scene scene;
  const std::string lost = layout::mark_key(k_now - days{2}, std::string(32, '0'));
  scene.evidence.unreadable_notes.push_back({lost, k_now - 1h, Error(ErrorKind::damaged, "damaged mark", "a way out")});
  scene.snapshot("a", {scene.pack("used")});
  scene.pack("loose");
  scene.pack("marked");
  scene.mark(days{9}, {"marked"}, {"a"});
  scene.pack("young", days{3});
  scene.pack("newer", days{1});
  scene.pending("run", days{1}, {scene.pack("held"), scene.pack("held and newer", 1h)});
  CHECK(stopped_by(scene.plan(), "damaged mark"));
  CHECK(scene.plan().stops[0].hint() == "a way out");
  scene.settings.set_aside = {lost};
  PrunePlan plan = scene.plan();
  CHECK(plan.stops.empty());
  CHECK(plan.notes_given_up == std::vector{lost});
  CHECK(plan.marked_packs == names({"loose", "marked", "young", "held"}));
  CHECK(plan.deleted_packs.empty());
  CHECK(plan.removed_manifests.empty());
  CHECK(plan.lost_manifests.empty());
  SUBCASE("there is a mark in its place even where nothing is condemned") {
    Scene empty;
    empty.evidence.unreadable_notes = scene.evidence.unreadable_notes;
    empty.settings.set_aside = {lost};
    CHECK(empty.plan().marked_packs.empty());
    CHECK(empty.plan().writes_mark());
  }
  SUBCASE("not with a clock that would make that one void") {
    scene.pack("future", -days{1});
    CHECK(stopped_by(scene.plan(), "before its newest object"));
  }
  SUBCASE("what only it recorded as removed is named, all of it") {
    scene.mark(days{3}, {}, {"b", "c", "d", "e", "f"});
    CHECK(stopped_by(scene.plan(), "has shrunk"));
    for (const char* name : {"b", "c", "d", "e", "f"}) {
      CHECK(stopped_by(scene.plan(), Scene::key(name)));
      scene.settings.set_aside.insert(Scene::key(name));
    }
    plan = scene.plan();
    CHECK(plan.stops.empty());
    CHECK(plan.lost_manifests.size() == 5);
  }
}

TEST_CASE("prune plan: a pending record that cannot be read stops; set aside, nothing is deleted without a new grace") {
  Scene scene;
  const std::string lost = layout::pending_key(std::string(32, '0'), 2);
  scene.evidence.unreadable_notes.push_back({lost, k_now - 1h, Error(ErrorKind::damaged, "damaged pending record")});
  scene.snapshot("a", {scene.pack("used")});
  scene.pack("loose");
  scene.pack("young", days{1});
  scene.pack("marked");
  scene.pending("run", days{6}, {scene.pack("held"), scene.pack("held and marked")});
  scene.mark(days{9}, {"marked", "held and marked"}, {"a"});
  CHECK(stopped_by(scene.plan(), "damaged pending record"));
  scene.settings.set_aside = {lost};
  const PrunePlan plan = scene.plan();
  CHECK(plan.stops.empty());
  CHECK(plan.notes_given_up == std::vector{lost});
  CHECK(plan.marked_packs == names({"loose", "marked", "held and marked"}));
  CHECK(plan.deleted_packs.empty());
}

TEST_CASE("prune plan: of marks and pending records only what is damaged can be set aside") {
  Scene scene;
  const std::string mark = layout::mark_key(k_now, std::string(32, '0'));
  scene.evidence.marks.push_back({mark, k_now - 1h, Mark{k_now - 1h, k_now - 1h, {}, {}, {}, {}}});
  scene.pending("run", 1h, {});
  const std::string later = layout::pending_key(std::string(32, '0'), 1);
  scene.evidence.unreadable_notes.push_back({later, k_now - 1h, Error(ErrorKind::failed, "newer version")});
  const auto refused = [&](const std::string& key) {
    scene.settings.set_aside = {key};
    CHECK_THROWS_AS(scene.plan(), Error);
  };
  for (const auto& key : {mark, scene.evidence.pending[0].key, later, std::string{"marks/unknown"}}) refused(key);
}
