#include "engine/snapshot/part_builder.hpp"

#include "util/file.hpp"

#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

struct Parts {
  EntrySpool spool{fs::temp_directory_path()};

  // Sizes of the parts and their numbers of extents.
  std::vector<std::pair<std::uint64_t, std::size_t>> read() {
    spool.add_entry("e", true);
    spool.rewind();
    EntrySpool::Stored stored;
    REQUIRE(spool.next_entry(stored));
    std::vector<std::pair<std::uint64_t, std::size_t>> out;
    LocalPart part;
    for (std::uint64_t i = 0; i < stored.parts; ++i) {
      spool.next_part(part);
      out.emplace_back(part.size, part.extents.size());
    }
    return out;
  }
};

using Sizes = std::vector<std::pair<std::uint64_t, std::size_t>>;

Digest beginning_with(std::uint8_t byte) {
  Digest out;
  out.bytes[0] = byte;
  return out;
}

}  // namespace

TEST_CASE("part builder: pages have a fixed number of chunks a part, whatever their digests say") {
  Parts t;
  PartBuilder parts{t.spool, ChunkRule::Kind::fixed};
  for (std::uint32_t i = 0; i < 2 * k_chunks_per_part + 3; ++i) parts.chunk(beginning_with(0), 4096, {7, i});
  parts.flush();
  CHECK(t.read() == Sizes{{4096ULL * k_chunks_per_part, 1}, {4096ULL * k_chunks_per_part, 1}, {3 * 4096, 1}});
}

TEST_CASE("part builder: other content ends a part where a digest says so, and after so many chunks at most") {
  Parts t;
  PartBuilder parts{t.spool, ChunkRule::Kind::files};
  parts.chunk(beginning_with(1), 10, {7, 0});
  parts.chunk(beginning_with(0), 10, {7, 1});
  for (std::uint32_t i = 0; i < k_max_part_chunks + 1; ++i) parts.chunk(beginning_with(1), 10, {7, 2 * i + 10});
  parts.flush();
  CHECK(t.read() == Sizes{{20, 1}, {10 * k_max_part_chunks, k_max_part_chunks}, {10, 1}});
}

TEST_CASE("part builder: a hole is an extent of its part, and content of nothing has no part") {
  Parts t;
  PartBuilder parts{t.spool, ChunkRule::Kind::stream};
  parts.flush();
  parts.chunk(beginning_with(1), 10, {7, 0});
  parts.hole(1ULL << 33);
  parts.chunk(beginning_with(1), 10, {7, 1});
  parts.flush();
  parts.flush();
  CHECK(t.read() == Sizes{{(1ULL << 33) + 20, 3}});
}
