#include "engine/pinner.hpp"

#include "engine/pruner.hpp"
#include "repo/layout.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "util/error.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <string>

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
      fixture.repository.store_manifest(EngineFixture::make_manifest("s", store.now(), {own}));
    }
    first = fixture.repository.list_snapshots("s").front();
    store.advance(days{8});
  }

  void prune() {
    PruneRequest request;
    request.policy = [](const std::string&) {
      RetentionPolicy policy;
      policy.keep_last = 1;
      return std::optional{policy};
    };
    Pruner pruner{fixture.context, request, Apply::yes};
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
  CHECK(repository.pins().pinned(scene.first.id));
  CHECK(set_pin(repository, scene.first, PinAction::unpin));
  CHECK_FALSE(set_pin(repository, scene.first, PinAction::unpin));
  CHECK_FALSE(repository.pins().pinned(scene.first.id));
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
  CHECK(repository.pins().pinned(scene.first.id));
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
  CHECK(repository.pins().pinned(scene.first.id));
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
