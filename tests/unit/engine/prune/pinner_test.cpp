#include "engine/prune/pinner.hpp"

#include "engine/prune/pruner.hpp"
#include "repo/layout.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "support/signing.hpp"
#include "util/error.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::test;
using namespace std::chrono_literals;
using std::chrono::days;

namespace {

// Two snapshots of one series, of which retention keeps the second one.
struct Scene {
  explicit Scene(MemoryStore& memory) : store(memory), fixture(memory) {
    for (const char* name : {"a", "b"}) {
      const PackRef own = fixture.put_pack({name});
      store.advance(1min);
      fixture.repository.manifests().store(EngineFixture::make_manifest("s", store.now(), {own}));
    }
    first = fixture.repository.manifests().list_snapshots("s").front();
    store.advance(days{8});
  }

  static PruneRequest keeps_one() {
    PruneRequest request;
    request.policy = [](const std::string&) {
      RetentionPolicy policy;
      policy.keep_last = 1;
      return std::optional{policy};
    };
    return request;
  }
  void prune() {
    Pruner pruner{fixture.context, keeps_one(), Apply::yes};
    pruner.execute();
  }
  bool there() const { return store.has(first.object.key); }

  MemoryStore& store;
  EngineFixture fixture;
  SnapshotInfo first;
};

// Nothing where the pin is set.
std::optional<ErrorKind> failure_of_pin(Repository& repository, const SnapshotInfo& snapshot) {
  try {
    set_pin(repository, snapshot, PinAction::pin);
    return std::nullopt;
  } catch (const Error& e) {
    return e.kind();
  }
}

// Calls `other` once, before the call number `at` of what runs; false where there are not so many.
bool interrupt(MemoryStore& store, int at, const std::function<void()>& runs, const std::function<void()>& other) {
  std::atomic<int> calls = 0;  // several threads read manifests
  std::atomic<bool> inside = false;
  bool done = false;
  store.on_call = [&](const std::string&, const std::string&) {
    if (inside || calls++ != at) return;
    inside = true;
    other();
    inside = false;
    done = true;
  };
  runs();
  store.on_call = nullptr;
  return done;
}

}  // namespace

TEST_CASE("pinner: pins and unpins, and says whether that changed anything") {
  MemoryStore store;
  Scene scene{store};
  auto& repository = scene.fixture.repository;
  CHECK(set_pin(repository, scene.first, PinAction::pin));
  CHECK_FALSE(set_pin(repository, scene.first, PinAction::pin));
  CHECK(repository.notes().pins().pinned(scene.first.id, "s"));
  CHECK(set_pin(repository, scene.first, PinAction::unpin));
  CHECK_FALSE(set_pin(repository, scene.first, PinAction::unpin));
  CHECK_FALSE(repository.notes().pins().pinned(scene.first.id, "s"));
  CHECK(store.keys(layout::k_pins).size() == 2);
}

TEST_CASE("pinner: the last one to be set counts, also where the store's clock was set back") {
  MemoryStore store;
  Scene scene{store};
  auto& repository = scene.fixture.repository;
  const Time now = store.now();
  set_pin(repository, scene.first, PinAction::pin);
  set_pin(repository, scene.first, PinAction::unpin);
  store.set_now(Time{});
  CHECK(set_pin(repository, scene.first, PinAction::pin));
  CHECK(repository.notes().pins().pinned(scene.first.id, "s"));
  store.set_now(now);
  scene.prune();
  CHECK(scene.there());
}

TEST_CASE("pinner: a listing that leaves something out hides neither a pin nor an unpin") {
  MemoryStore store;
  Scene scene{store};
  auto& repository = scene.fixture.repository;
  set_pin(repository, scene.first, PinAction::pin);
  store.advance(1s);
  set_pin(repository, scene.first, PinAction::unpin);
  const std::string unpin = store.keys(layout::k_pins).back();
  int listings = 0;
  store.on_call = [&](const std::string& operation, const std::string&) {
    if (operation == "list") listings++ == 0 ? store.hide(unpin) : store.show_all();
  };
  // It is not taken for pinned already.
  CHECK(set_pin(repository, scene.first, PinAction::pin));
  store.on_call = nullptr;
  CHECK(repository.notes().pins().pinned(scene.first.id, "s"));
}

TEST_CASE("pinner: what is removed cannot be pinned, nor what a prune said that it removes") {
  MemoryStore store;
  Scene scene{store};
  auto& fixture = scene.fixture;
  bool killed = false;
  store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation != "remove" || !key.starts_with(layout::k_snapshots)) return;
    killed = true;
    throw StoreError(ErrorKind::failed, StoreError::Transient::no, "cut off");
  };
  CHECK_THROWS_AS(scene.prune(), StoreError);
  store.on_call = nullptr;
  REQUIRE(killed);
  REQUIRE(scene.there());
  CHECK(failure_of_pin(fixture.repository, scene.first) == ErrorKind::busy);
  // It was in time after all.
  store.advance(3h);
  scene.prune();
  CHECK(scene.there());
  CHECK_FALSE(failure_of_pin(fixture.repository, scene.first));

  set_pin(fixture.repository, scene.first, PinAction::unpin);
  scene.prune();
  CHECK_FALSE(scene.there());
  CHECK(failure_of_pin(fixture.repository, scene.first) == ErrorKind::not_found);
}

TEST_CASE("pinner: a pin that is set at any moment of a prune holds, or is refused") {
  int held = 0;
  int refused = 0;
  for (int at = 0;; ++at) {
    MemoryStore store;
    Scene scene{store};
    std::optional<ErrorKind> failure;
    const bool done = interrupt(
        store, at, [&] { scene.prune(); }, [&] { failure = failure_of_pin(scene.fixture.repository, scene.first); });
    if (!done) break;
    if (!failure) {
      ++held;
      CHECK_MESSAGE(scene.there(), "the pin came before call ", at);
    } else {
      ++refused;
    }
  }
  CHECK(held > 0);
  CHECK(refused > 0);
}

TEST_CASE("pinner: a pin holds or is refused whenever a prune comes in between") {
  int held = 0;
  int refused = 0;
  for (int at = 0;; ++at) {
    MemoryStore store;
    Scene scene{store};
    std::optional<ErrorKind> failure;
    const bool done = interrupt(
        store, at, [&] { failure = failure_of_pin(scene.fixture.repository, scene.first); }, [&] { scene.prune(); });
    if (!done) break;
    if (!failure) {
      ++held;
      CHECK_MESSAGE(scene.there(), "the prune came before call ", at);
    } else {
      ++refused;
    }
  }
  CHECK(held > 0);
  CHECK(refused > 0);
}

TEST_CASE("pinner: an unpin of the future takes no pin off, and is told of") {
  MemoryStore store;
  Scene scene{store};
  auto& repository = scene.fixture.repository;
  set_pin(repository, scene.first, PinAction::pin);
  const Time late = *parse_time("2262-04-11T23:47:15.999999999Z");
  store.put(layout::pin_key(scene.first.id, late, false, std::string(16, '0')), ObjectBody::from_text("{}"));
  CHECK(repository.notes().pins().pinned(scene.first.id, "s"));
  CHECK(repository.notes().pins().doubtful(scene.first.id, "s") == 1);
  scene.prune();
  CHECK(scene.there());
  CHECK_FALSE(set_pin(repository, scene.first, PinAction::pin));
  CHECK(scene.fixture.reporter.warnings.back().starts_with("a record in the store would take the pin off"));
  // It is taken off in the present, and put on again.
  CHECK(set_pin(repository, scene.first, PinAction::unpin));
  CHECK_FALSE(repository.notes().pins().pinned(scene.first.id, "s"));
  CHECK(set_pin(repository, scene.first, PinAction::pin));
  CHECK(repository.notes().pins().pinned(scene.first.id, "s"));
  CHECK(set_pin(repository, scene.first, PinAction::unpin));
  scene.prune();
  CHECK_FALSE(scene.there());
}

TEST_CASE("pinner: an unpin within the hour that clocks may differ counts") {
  for (const auto& [ahead, pinned] : {std::pair{59min, false}, std::pair{61min, true}}) {
    MemoryStore store;
    Scene scene{store};
    set_pin(scene.fixture.repository, scene.first, PinAction::pin);
    store.put(layout::pin_key(scene.first.id, store.now() + ahead, false, std::string(16, '0')),
              ObjectBody::from_text("{}"));
    CHECK(scene.fixture.repository.notes().pins().pinned(scene.first.id, "s") == pinned);
  }
}

TEST_CASE("pinner: prune goes by the store's time where an unpin's object has a time of its own") {
  MemoryStore store;
  Scene scene{store};
  set_pin(scene.fixture.repository, scene.first, PinAction::pin);
  const Time now = store.now();
  const Time late = *parse_time("2262-04-11T23:47:15Z");
  store.set_now(late);  // a user who may write to a directory may give a file any time
  store.put(layout::pin_key(scene.first.id, late, false, std::string(16, '0')), ObjectBody::from_text("{}"));
  store.set_now(now);
  CHECK(Pruner(scene.fixture.context, Scene::keeps_one(), Apply::no).plan().removed_manifests.empty());
  scene.prune();
  CHECK(scene.there());
}

TEST_CASE("pinner: a pin of the future holds, and no unpin says that it was taken off") {
  MemoryStore store;
  Scene scene{store};
  auto& repository = scene.fixture.repository;
  const Time late = *parse_time("2262-04-11T00:00:00Z");
  store.put(layout::pin_key(scene.first.id, late, true, std::string(16, '0')), ObjectBody::from_text("{}"));
  CHECK(repository.notes().pins().pinned(scene.first.id, "s"));
  const auto records = store.keys(layout::k_pins).size();
  CHECK_THROWS_WITH_AS(set_pin(repository, scene.first, PinAction::unpin),
                       doctest::Contains("it is dated 2262-04-11T00:00:00.000000001Z"), Error);
  CHECK(store.keys(layout::k_pins).size() == records);
  scene.prune();
  CHECK(scene.there());
}

TEST_CASE("pinner: where keys are trusted an unpin needs one of them for its series") {
  MemoryStore store;
  Scene scene{store};
  TrustPolicy trust = trusting_author();
  const auto stranger = minisign::SecretKey::generate();
  const auto elsewhere = minisign::SecretKey::generate();
  trust.trusted.push_back({elsewhere.public_key().text(), "other"});
  EngineFixture trusting{store, {}, "host", {}, trust};
  auto& repository = trusting.repository;
  const auto pinned = [&] { return repository.notes().pins().pinned(scene.first.id, "s"); };
  const auto put_unpin = [&](const minisign::SecretKey* key, const std::string& store_id, Time time) {
    const layout::PinKey name{scene.first.id, time, false};
    store.put(layout::pin_key(name.id, name.time, false, random_name()),
              ObjectBody::from_text(pin_text(store_id, name, key)));
  };
  // A pin costs no more than space: it holds whoever set it.
  set_pin(scene.fixture.repository, scene.first, PinAction::pin);
  CHECK(pinned());
  const std::string id = repository.descriptor().store_id;
  store.advance(1s);
  put_unpin(nullptr, id, store.now());
  put_unpin(&stranger, id, store.now());
  put_unpin(&elsewhere, id, store.now());
  put_unpin(&author(), std::string(32, '0'), store.now());  // of another store
  // The author's own of another time, under a new name.
  {
    const layout::PinKey earlier{scene.first.id, store.now() - 1h, false};
    store.put(layout::pin_key(earlier.id, store.now(), false, random_name()),
              ObjectBody::from_text(pin_text(id, earlier, &author())));
  }
  CHECK(pinned());
  CHECK(repository.notes().pins().doubtful(scene.first.id, "s") == 5);
  // This program does not put what counts for nothing.
  const auto records = store.keys(layout::k_pins).size();
  for (const auto* key : {static_cast<const minisign::SecretKey*>(nullptr), &stranger, &elsewhere}) {
    CHECK_THROWS_WITH_AS(set_pin(repository, scene.first, PinAction::unpin, key),
                         doctest::Contains("one of them has to sign that"), Error);
  }
  CHECK(store.keys(layout::k_pins).size() == records);
  CHECK(set_pin(repository, scene.first, PinAction::unpin, &author()));
  CHECK_FALSE(pinned());
  store.advance(1s);
  CHECK(set_pin(repository, scene.first, PinAction::pin));
  CHECK(pinned());
}

TEST_CASE("pinner: whoever adds very many unpins does not have all of them read") {
  MemoryStore store;
  Scene scene{store};
  EngineFixture trusting{store, {}, "host", {}, trusting_author()};
  set_pin(scene.fixture.repository, scene.first, PinAction::pin);
  for (int i = 0; i < 500; ++i) {
    store.put(layout::pin_key(scene.first.id, store.now() + 1s, false, random_name()), ObjectBody::from_text("{}"));
  }
  int read = 0;
  store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation == "get" && key.starts_with(layout::k_pins)) ++read;
  };
  CHECK(trusting.repository.notes().pins().pinned(scene.first.id, "s"));
  CHECK(read > 0);
  CHECK(read < 100);
  // One that is right is lost among them, and nobody is told that it counts.
  store.on_call = nullptr;
  CHECK_THROWS_WITH_AS(set_pin(trusting.repository, scene.first, PinAction::unpin, &author()),
                       doctest::Contains("its record was put, and does not count"), Error);
}

TEST_CASE("pinner: a pin that is not there afterwards is no pin") {
  MemoryStore store;
  Scene scene{store};
  std::string put;
  store.on_call = [&](const std::string& operation, const std::string& key) {
    if (operation == "after put" && key.starts_with(layout::k_pins)) put = key;
    if (operation == "list" && key.starts_with(layout::k_marks) && !put.empty()) store.erase(put);
  };
  CHECK(failure_of_pin(scene.fixture.repository, scene.first) == ErrorKind::failed);
}
