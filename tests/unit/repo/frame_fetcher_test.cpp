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

// A pack, and another one with the same chunks that stands in for it.
struct TwoPacks {
  test::MemoryStore store;
  test::EngineFixture engine{store};
  std::vector<std::string> texts{std::string(5000, 'a'), std::string(6000, 'b'), std::string(7000, 'c')};
  PackRef first = engine.put_pack(texts);
  PackRef second = engine.put_pack(texts);
  Manifest manifest;

  TwoPacks() {
    manifest.packs = {first};
    manifest.spare_packs = {second};
  }
  static std::string key(const PackRef& ref) { return layout::pack_key(ref.name); }
  void flip(const PackRef& ref, std::uint64_t at) {
    Bytes bytes = store.objects().at(key(ref)).bytes;
    bytes[at] ^= 1;
    store.overwrite(key(ref), as_text(bytes));
  }
  void damage_directory(const PackRef& ref) { flip(ref, ref.directory_offset + 5); }
  void damage_frame(const PackRef& ref, std::uint32_t frame) {
    const auto directory = engine.repository.packs().directory(ref);
    flip(ref, k_pack_header_size + directory->frames()[frame].offset + 8);
  }
  // A signal arrives while the pack is being read.
  void interrupt_at(const PackRef& ref) {
    store.on_call = [name = key(ref)](const std::string& operation, const std::string& asked) {
      if (operation == "get" && asked == name) throw Error(ErrorKind::interrupted, "interrupted by SIGINT");
    };
  }
  std::string read(std::uint32_t chunk) {
    const PackTable table{manifest};
    FrameFetcher fetcher{engine.repository.packs(), engine.io, engine.pool, table, 1 << 20};
    const auto directory = fetcher.directory(first.prefix());
    const auto frame = fetcher.request({{first.prefix(), directory->frame_of(chunk)}}).front().get();
    return std::string{as_text(frame->chunk(chunk))};
  }
};

}  // namespace

TEST_CASE("frames: a pack with the same chunks stands in where the directory is damaged") {
  TwoPacks t;
  t.damage_directory(t.first);
  CHECK(t.read(1) == t.texts[1]);
  t.damage_directory(t.second);
  TwoPacks both;
  both.damage_directory(both.first);
  both.damage_directory(both.second);
  CHECK(failure_of([&] { both.read(1); }) == ErrorKind::damaged);
}

TEST_CASE("frames: a pack with the same chunks stands in where a frame is damaged") {
  TwoPacks t;
  t.damage_frame(t.first, 1);
  CHECK(t.read(1) == t.texts[1]);
  t.damage_frame(t.second, 1);
  CHECK(t.read(0) == t.texts[0]);
  CHECK(failure_of([&] { t.read(1); }) == ErrorKind::damaged);
}

TEST_CASE("frames: an interruption while a pack is looked at that could stand in is no damage") {
  TwoPacks t;
  SUBCASE("for its directory") {
    t.damage_directory(t.first);
  }
  SUBCASE("for a frame") {
    t.damage_frame(t.first, 1);
  }
  t.interrupt_at(t.second);
  CHECK(failure_of([&] { t.read(1); }) == ErrorKind::interrupted);
}

TEST_CASE("frames: an interruption while a pack is read whole ahead is no damage") {
  TwoPacks t;
  t.interrupt_at(t.first);
  const PackTable table{t.manifest};
  FrameFetcher fetcher{t.engine.repository.packs(), t.engine.io, t.engine.pool, table, 1 << 20};
  FetchPlan plan;
  plan.begin_stretch(0);
  plan.want_whole(t.first, 0, 3);
  fetcher.expect(std::move(plan), 16 << 20);
  CHECK(failure_of([&] { fetcher.directory(t.first.prefix()); }) == ErrorKind::interrupted);
}

TEST_CASE("frames: directories that are expected are at hand, and one that is damaged is told by who asks for it") {
  test::MemoryStore store;
  test::EngineFixture engine{store};
  Manifest manifest;
  for (const char letter : {'a', 'b', 'c'}) manifest.packs.push_back(engine.put_pack({std::string(1000, letter)}));
  const PackRef& damaged = manifest.packs[2];
  const std::string key = layout::pack_key(damaged.name);
  Bytes bytes = store.objects().at(key).bytes;
  bytes[damaged.directory_offset + 5] ^= 1;
  store.overwrite(key, as_text(bytes));
  const PackTable table{manifest};
  FrameFetcher fetcher{engine.repository.packs(), engine.io, engine.pool, table, 1 << 20};
  // One name is of no pack.
  fetcher.expect_directories({manifest.packs[0].prefix(), manifest.packs[1].prefix(), damaged.prefix(), 7});
  std::atomic<int> gets{0};
  store.on_call = [&gets](const std::string& operation, const std::string&) { gets += operation == "get" ? 1 : 0; };
  CHECK(fetcher.directory(manifest.packs[0].prefix())->chunk_count() == 1);
  CHECK(fetcher.directory(manifest.packs[1].prefix())->chunk_count() == 1);
  CHECK(gets == 0);
  CHECK(failure_of([&] { fetcher.directory(damaged.prefix()); }) == ErrorKind::damaged);
}
