#include "engine/chunk_store.hpp"

#include "store/local_store.hpp"
#include "store/open.hpp"
#include "util/log.hpp"

#include <atomic>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("chunk store: the directory counts when a pack is closed, however little the chunks take") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  LocalStore store{directory.path() / "store", CreateRoot::yes};
  Descriptor descriptor;
  descriptor.store_id = std::string(32, '0');
  Repository::init(store, descriptor);
  SilentReporter reporter;
  Repository repository{store, reporter, {}};
  ThreadPool pool{2};
  ThreadPool io{1};
  Context context{repository, pool, io, reporter, "host", [] { return Time{}; }};

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
