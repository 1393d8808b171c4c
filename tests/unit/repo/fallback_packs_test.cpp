#include "repo/fallback_packs.hpp"

#include "repo/frame_fetcher.hpp"
#include "repo/layout.hpp"
#include "support/engine_fixture.hpp"
#include "support/memory_store.hpp"
#include "unit/support.hpp"

#include <atomic>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;

namespace {

// A store, and two others that have the same chunks: one the very pack, one a pack of its own.
struct ThreeStores {
  test::MemoryStore store;
  test::MemoryStore same_store;
  test::MemoryStore own_store;
  test::EngineFixture engine{store};
  test::EngineFixture same{same_store};
  test::EngineFixture own{own_store};
  std::vector<std::string> texts{std::string(5000, 'a'), std::string(6000, 'b'), std::string(7000, 'c')};
  PackRef ref = engine.put_pack(texts);
  PackRef own_ref = own.put_pack(texts);
  Manifest manifest;
  std::atomic<int> opened{0};
  std::atomic<int> asked_in_vain{0};
  bool same_fails = false;
  bool same_is_away = false;
  bool own_fails = false;

  ThreeStores() {
    manifest.packs = {ref};
    same_store.put(key(ref), ObjectBody::from_memory(*store.read(key(ref), std::nullopt)));
  }
  static std::string key(const PackRef& ref) { return layout::pack_key(ref.name); }
  static void flip(test::MemoryStore& store, const PackRef& ref, std::uint64_t at) {
    Bytes bytes = store.objects().at(key(ref)).bytes;
    bytes[at] ^= 1;
    store.overwrite(key(ref), as_text(bytes));
  }
  static void lose(test::MemoryStore& store, const PackRef& ref) { store.remove(std::vector{key(ref)}); }
  // The first byte of the first frame's content.
  static std::uint64_t in_frame() { return k_pack_header_size + 8; }
  void fail_packs(test::MemoryStore& at) {
    at.on_call = [this](const std::string& operation, const std::string& asked) {
      if (operation != "get" || !asked.starts_with("packs/")) return;
      ++asked_in_vain;
      throw StoreError(ErrorKind::failed, StoreError::Transient::unreachable, "the store is away");
    };
  }
  FallbackStore other(const std::string& name, test::EngineFixture& at, const PackRef& there, bool& fails) {
    return {name, [this, &at, there, &fails] {
              ++opened;
              if (&at == &same && same_is_away)
                throw StoreError(ErrorKind::failed, StoreError::Transient::unreachable, "away");
              if (fails) throw Error(ErrorKind::failed, "not mounted");
              return FallbackStore::Opened{std::shared_ptr<PackSource>(&at.repository.packs(), [](PackSource*) {}),
                                           {there}};
            }};
  }
  FallbackPacks packs{engine.repository.packs(),
                      {other("same", same, ref, same_fails), other("own", own, own_ref, own_fails)}};

  std::string read(std::uint32_t chunk) {
    const PackTable table{manifest};
    FrameFetcher fetcher{packs, engine.io, engine.pool, table, 1 << 20};
    const auto directory = fetcher.directory(ref.prefix());
    const auto frame = fetcher.request({{ref.prefix(), directory->frame_of(chunk)}}).front().get();
    return std::string{as_text(frame->chunk(chunk))};
  }
  std::string taken() const {
    std::string text;
    for (const auto& one : packs.taken()) text += one.store + " " + std::to_string(one.packs) + ";";
    return text;
  }
};

}  // namespace

TEST_CASE("fallback packs: nothing is opened while the store has what is needed") {
  ThreeStores t;
  for (std::uint32_t chunk = 0; chunk < 3; ++chunk) CHECK(t.read(chunk) == t.texts[chunk]);
  CHECK(t.opened == 0);
  CHECK(t.taken() == "");
}

TEST_CASE("fallback packs: what the store lost or damaged comes from the next one") {
  ThreeStores t;
  SUBCASE("gone") {
    ThreeStores::lose(t.store, t.ref);
  }
  SUBCASE("a frame") {
    ThreeStores::flip(t.store, t.ref, ThreeStores::in_frame());
  }
  SUBCASE("the directory") {
    ThreeStores::flip(t.store, t.ref, t.ref.directory_offset + 5);
  }
  for (std::uint32_t chunk = 0; chunk < 3; ++chunk) CHECK(t.read(chunk) == t.texts[chunk]);
  CHECK(t.opened == 1);
  CHECK(t.taken() == "same 1;");
  CHECK_FALSE(t.packs.away());
  // Who restores says it once, for all packs.
  CHECK(t.engine.reporter.warnings.empty());
}

TEST_CASE("fallback packs: one that has it damaged too, or cannot be opened, is passed over") {
  ThreeStores t;
  ThreeStores::lose(t.store, t.ref);
  std::size_t warnings = 0;
  SUBCASE("damaged in a frame") {
    ThreeStores::flip(t.same_store, t.ref, ThreeStores::in_frame());
  }
  SUBCASE("damaged in its directory") {
    ThreeStores::flip(t.same_store, t.ref, t.ref.directory_offset + 5);
  }
  SUBCASE("gone") {
    ThreeStores::lose(t.same_store, t.ref);
  }
  SUBCASE("does not answer") {
    t.fail_packs(t.same_store);
  }
  SUBCASE("does not answer when it is opened") {
    t.same_is_away = true;
    warnings = 1;
  }
  SUBCASE("cannot be opened") {
    t.same_fails = true;
    warnings = 1;
  }
  CHECK(t.read(0) == t.texts[0]);
  CHECK(t.opened == 2);
  CHECK(t.taken().ends_with("own 1;"));
  CHECK(t.engine.reporter.warnings.size() == warnings);
}

TEST_CASE("fallback packs: a store that does not answer is asked once") {
  ThreeStores t;
  t.fail_packs(t.store);
  for (std::uint32_t chunk = 0; chunk < 3; ++chunk) CHECK(t.read(chunk) == t.texts[chunk]);
  CHECK(t.asked_in_vain == 1);
  CHECK(t.packs.away() == "the store is away");
}

TEST_CASE("fallback packs: where nobody has it the first failure is told") {
  ThreeStores t;
  t.same_fails = t.own_fails = true;
  SUBCASE("damage") {
    ThreeStores::lose(t.store, t.ref);
    CHECK(failure_of([&] { t.read(0); }) == ErrorKind::damaged);
  }
  SUBCASE("no answer") {
    t.fail_packs(t.store);
    CHECK(failure_of([&] { t.read(0); }) == ErrorKind::failed);
    CHECK_FALSE(t.packs.away());
  }
}
