#include "engine/snapshot/chunk_store.hpp"

#include "store/local_store.hpp"
#include "store/open.hpp"
#include "support/memory_store.hpp"
#include "unit/support.hpp"
#include "util/log.hpp"

#include <atomic>
#include <future>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("chunk store: the directory counts when a pack is closed, however little the chunks take") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore store{directory.path() / "store", CreateRoot::yes};
  Descriptor descriptor;
  descriptor.store_id = std::string(32, '0');
  init_store(store, descriptor);
  SilentReporter reporter;
  Repository repository{store, reporter, {}};
  ThreadPool pool{2};
  ThreadPool io{1};
  Context context{repository, pool, io, io, reporter, "host", [] { return Time{}; }};

  constexpr std::uint64_t k_target = 64 << 10;
  constexpr std::uint64_t k_frame_directory = 256 * 36 + 8;  // of one frame of 4 KiB chunks
  std::atomic<std::uint64_t> largest{0};
  std::atomic<std::uint64_t> packs{0};
  ChunkStore::Options options;
  options.pack_target = k_target;
  ChunkStore chunks{context, options, [&](const PackBuilder::Built& built) {
                      ++packs;
                      largest = std::max<std::uint64_t>(largest, built.ref.size);
                    }};
  // Pages that differ in their number only.
  Bytes page(4096, 0);
  constexpr std::uint32_t k_pages = 40 * 256;
  for (std::uint32_t i = 0; i < k_pages; ++i) {
    page[0] = static_cast<std::uint8_t>(i);
    page[1] = static_cast<std::uint8_t>(i >> 8);
    chunks.add(sha256(page), page);
  }
  chunks.finish();
  CHECK(packs == chunks.packs().size());
  CHECK(largest < k_target + 2 * k_frame_directory);
  CHECK(packs > 40 * k_frame_directory / k_target);
}

namespace {

// A store that takes nothing before it is told to, and a spool before it.
struct SlowStore {
  TemporaryDirectory spool{fs::temp_directory_path()};
  test::MemoryStore store;
  SilentReporter reporter;
  ThreadPool pool{2};
  ThreadPool io{1};
  std::promise<void> open;
  std::shared_future<void> opened = open.get_future().share();
  std::atomic<std::uint64_t> put{0};
  std::atomic<bool> whole{true};

  ChunkStore::Options options(SpoolLimit limit) const {
    ChunkStore::Options out;
    out.pack_target = 64 << 10;
    out.spool = spool.path();
    out.spool_limit = limit;
    return out;
  }
  PackSink sink() {
    return [this](const PackBuilder::Built& built) {
      opened.wait();
      whole = whole && built.file && fs::file_size(*built.file) == built.ref.size &&
              built.directory.logical_id() == built.ref.logical_id;
      ++put;
    };
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator{spool.path()}, fs::directory_iterator{}));
  }
};

Repository make_repository(SlowStore& slow) {
  Descriptor descriptor;
  descriptor.store_id = std::string(32, '0');
  init_store(slow.store, descriptor);
  return Repository{slow.store, slow.reporter, {}};
}

void add_incompressible(ChunkStore& chunks, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const Bytes page = random_bytes(16 << 10);
    chunks.add(sha256(page), page);
  }
}

}  // namespace

TEST_CASE("chunk store: what is captured waits in the spool for a slow store") {
  SlowStore slow;
  Repository repository = make_repository(slow);
  Context context{repository, slow.pool, slow.io, slow.io, slow.reporter, "host", [] { return Time{}; }};
  ChunkStore chunks{context, slow.options({}), slow.sink()};
  add_incompressible(chunks, 600);
  chunks.close_pack();  // all is read and the source let go, and nothing was put yet
  CHECK(slow.put == 0);
  CHECK(chunks.packs().size() > 8);
  CHECK(slow.files() >= chunks.packs().size());
  slow.open.set_value();
  chunks.finish();
  CHECK(slow.put == chunks.packs().size());
  CHECK(slow.whole);
  CHECK(slow.files() == 0);
}

TEST_CASE("chunk store: a full spool ends the capture where it shall not wait") {
  SlowStore slow;
  Repository repository = make_repository(slow);
  Context context{repository, slow.pool, slow.io, slow.io, slow.reporter, "host", [] { return Time{}; }};
  {
    ChunkStore chunks{context, slow.options({3 << 20, SpoolFull::fail}), slow.sink()};
    const std::string message = test::message_of([&] {
      add_incompressible(chunks, 2000);
      chunks.close_pack();
    });
    CHECK(message.find("is full: ") != std::string::npos);
    CHECK(message.find("wait for the store") != std::string::npos);
    slow.open.set_value();
  }
  CHECK(slow.files() == 0);
}

TEST_CASE("chunk store: a full spool makes the capture wait by default, and one pack always fits") {
  SlowStore slow;
  slow.open.set_value();
  Repository repository = make_repository(slow);
  Context context{repository, slow.pool, slow.io, slow.io, slow.reporter, "host", [] { return Time{}; }};
  ChunkStore chunks{context, slow.options({1, SpoolFull::stream}), slow.sink()};
  add_incompressible(chunks, 300);
  chunks.finish();
  CHECK(slow.put == chunks.packs().size());
  CHECK(slow.files() == 0);
}

TEST_CASE("chunk store: a put that fails ends the capture, not the end of it only") {
  SlowStore slow;
  Repository repository = make_repository(slow);
  Context context{repository, slow.pool, slow.io, slow.io, slow.reporter, "host", [] { return Time{}; }};
  std::promise<void> failed;
  {
    ChunkStore chunks{context, slow.options({}), [&, first = std::make_shared<std::atomic<bool>>(true)](const auto&) {
                        if (!first->exchange(false)) return;
                        failed.set_value();
                        throw Error(ErrorKind::failed, "the store is gone");
                      }};
    const std::string message = test::message_of([&] {
      // More than is in flight before a pack is made.
      add_incompressible(chunks, 2000);
      failed.get_future().wait();
      for (int i = 0; i < 1000; ++i) add_incompressible(chunks, 100);
    });
    CHECK(message == "the store is gone");
  }
  CHECK(slow.files() == 0);
}
