#include "engine/restore/known_extents.hpp"

#include <initializer_list>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

PackDirectory pack(std::initializer_list<std::uint32_t> lengths) {
  PackDirectory directory;
  for (const std::uint32_t length : lengths) directory.add_chunk({}, length);
  directory.add_frame(1, static_cast<std::uint32_t>(lengths.size()));
  return directory;
}

// The chunks that are known, by their numbers.
std::vector<std::uint32_t> known(const KnownExtents& extents, std::uint64_t offset, const PackDirectory& directory,
                                 const ChunkRange& chunks) {
  std::vector<std::uint32_t> out;
  find_known(extents, offset, directory, chunks, [&](std::uint32_t i) { out.push_back(i); });
  return out;
}

using Numbers = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("known extents: neighbours of one pack become one, others do not") {
  KnownExtents extents;
  append_extent(extents, {0, 30, {7, 0, 2}});
  append_extent(extents, {30, 30, {7, 2, 1}});
  CHECK(extents == KnownExtents{{0, 60, {7, 0, 3}}});
  append_extent(extents, {60, 10, {8, 3, 1}});   // another pack
  append_extent(extents, {70, 10, {8, 5, 1}});   // not the next chunk
  append_extent(extents, {100, 10, {8, 6, 1}});  // a hole is between
  CHECK(extents == KnownExtents{{0, 60, {7, 0, 3}}, {60, 10, {8, 3, 1}}, {70, 10, {8, 5, 1}}, {100, 10, {8, 6, 1}}});
}

TEST_CASE("known extents: a chunk is known where the same chunk of the same pack lies at the same offset") {
  const PackDirectory directory = pack({10, 20, 30, 10, 10});
  const KnownExtents extents{{0, 60, {7, 0, 3}}, {60, 10, {8, 3, 1}}, {100, 20, {7, 3, 2}}};
  CHECK(known(extents, 0, directory, {7, 0, 3}) == Numbers{0, 1, 2});
  // From its middle, and beyond its end into another pack's.
  CHECK(known(extents, 10, directory, {7, 1, 4}) == Numbers{0, 1});
  CHECK(known(extents, 30, directory, {7, 2, 1}) == Numbers{0});
  CHECK(known(extents, 60, directory, {8, 3, 1}) == Numbers{0});
  CHECK(known(extents, 100, directory, {7, 3, 2}) == Numbers{0, 1});
  // The same pack elsewhere, another pack there, another chunk of it there, and where nothing is.
  CHECK(known(extents, 5, directory, {7, 0, 3}).empty());
  CHECK(known(extents, 0, directory, {9, 0, 3}).empty());
  CHECK(known(extents, 0, directory, {7, 3, 2}).empty());
  CHECK(known(extents, 100, directory, {7, 4, 1}).empty());
  CHECK(known(extents, 110, directory, {7, 3, 1}).empty());
  CHECK(known(extents, 75, directory, {7, 0, 1}).empty());
  CHECK(known(extents, 500, directory, {7, 0, 1}).empty());
  CHECK(known({}, 0, directory, {7, 0, 1}).empty());
}

TEST_CASE("known extents: what changed between two of one pack leaves those on both sides known") {
  const PackDirectory directory = pack({10, 10, 10, 10, 10});
  const KnownExtents extents{{0, 20, {7, 0, 2}}, {20, 10, {8, 0, 1}}, {30, 20, {7, 3, 2}}};
  CHECK(known(extents, 0, directory, {7, 0, 5}) == Numbers{0, 1, 3, 4});
}
