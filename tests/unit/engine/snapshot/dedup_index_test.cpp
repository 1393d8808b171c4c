#include "engine/snapshot/dedup_index.hpp"

#include "unit/support.hpp"
#include "util/file.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

Digest digest_of(std::uint64_t number) {
  return sha256(std::to_string(number));
}

bool at(const std::optional<ChunkPlace>& place, std::uint32_t source, std::uint32_t chunk) {
  return place && place->source == source && place->chunk == chunk;
}

}  // namespace

TEST_CASE("an index finds what was put in, and nothing else") {
  const TemporaryDirectory directory{fs::temp_directory_path(), "index"};
  DedupIndex index{directory.path()};
  CHECK_FALSE(index.find(digest_of(0)));
  // More than the buffer of the file holds.
  constexpr std::uint32_t k_count = 60'000;
  for (std::uint32_t i = 0; i < k_count; ++i) index.insert(digest_of(i), {i / 100, i % 100});
  // Against the order, so that nothing is found by what stands beside it.
  std::size_t found = 0;
  for (std::uint32_t i = k_count; i-- > 0;) found += at(index.find(digest_of(i)), i / 100, i % 100) ? 1U : 0U;
  CHECK(found == k_count);
  std::size_t strangers = 0;
  for (std::uint32_t i = k_count; i < 2 * k_count; ++i) strangers += index.find(digest_of(i)) ? 1U : 0U;
  CHECK(strangers == 0);
  CHECK(index.table_size() == k_count);
}

TEST_CASE("digests that begin alike are told apart") {
  const TemporaryDirectory directory{fs::temp_directory_path(), "index"};
  DedupIndex index{directory.path()};
  Digest one = digest_of(1);
  for (std::uint8_t i = 0; i < 200; ++i) {
    one.bytes[31] = i;
    index.insert(one, {7, i});
  }
  for (std::uint8_t i = 200; i-- > 0;) {
    one.bytes[31] = i;
    CHECK(at(index.find(one), 7, i));
  }
  one.bytes[31] = 200;
  CHECK_FALSE(index.find(one));
}

TEST_CASE("the first place of a digest stays") {
  const TemporaryDirectory directory{fs::temp_directory_path(), "index"};
  DedupIndex index{directory.path()};
  index.insert(digest_of(1), {1, 1});
  index.insert(digest_of(2), {2, 2});
  index.insert(digest_of(1), {3, 3});
  CHECK(at(index.find(digest_of(2)), 2, 2));
  // It stands right behind what was found, too: both places are right, and this one lies near the other.
  CHECK(at(index.find(digest_of(1)), 3, 3));
  CHECK(at(index.find(digest_of(1)), 1, 1));
  CHECK(index.table_size() == 2);
}

TEST_CASE("a full table keeps a sample, and long stretches are found all the same") {
  const TemporaryDirectory directory{fs::temp_directory_path(), "index"};
  constexpr std::size_t k_table = 1000;
  DedupIndex index{directory.path(), k_table};
  constexpr std::uint32_t k_count = 50'000;
  for (std::uint32_t i = 0; i < k_count; ++i) index.insert(digest_of(i), {0, i});
  CHECK(index.table_size() <= k_table);
  CHECK(index.table_size() > k_table / 4);
  CHECK(index.fill() <= 1.0);

  // The same again without one chunk in a thousand: what is lost lies between a gap and the next sample.
  std::uint32_t lost = 0;
  for (std::uint32_t i = 0; i < k_count; ++i) {
    if (i % 1000 == 500) continue;
    const auto place = index.find(digest_of(i));
    if (place) {
      CHECK(place->chunk == i);
    } else {
      ++lost;
    }
  }
  CHECK(lost < k_count / 10);
  CHECK(lost > 0);
}

TEST_CASE("behind a replaced chunk the known ones are found whatever the table holds") {
  const TemporaryDirectory directory{fs::temp_directory_path(), "index"};
  constexpr std::size_t k_table = 100;
  DedupIndex index{directory.path(), k_table};
  constexpr std::uint32_t k_count = 20'000;
  for (std::uint32_t i = 0; i < k_count; ++i) index.insert(digest_of(i), {0, i});
  REQUIRE(index.table_size() <= k_table);

  std::uint32_t first = 0;
  while (!index.find(digest_of(first))) ++first;
  std::uint32_t lost = 0;
  for (std::uint32_t i = first + 1; i < first + 5001; ++i) {
    if (i % 10 < 3) {  // three new ones in the place of three
      const auto stranger = digest_of(k_count + i);
      CHECK_FALSE(index.find(stranger));
      index.insert(stranger, {1, i});
    } else if (i % 100 == 5) {  // a new one before the known one
      CHECK_FALSE(index.find(digest_of(2 * k_count + i)));
      CHECK(at(index.find(digest_of(i)), 0, i));
    } else if (!at(index.find(digest_of(i)), 0, i)) {
      ++lost;
    }
  }
  CHECK(lost == 0);
}

TEST_CASE("what is looked for behind new content stays within what the index holds") {
  const TemporaryDirectory directory{fs::temp_directory_path(), "index"};
  DedupIndex index{directory.path(), 100};
  constexpr std::uint32_t k_count = 20'000;
  for (std::uint32_t i = 0; i < k_count; ++i) index.insert(digest_of(i), {0, i});
  std::uint32_t last = k_count - 1;
  while (!index.find(digest_of(last))) --last;
  // From there, known one by one, to the last of all; then new ones, up to it and beyond.
  for (std::uint32_t i = last + 1; i < k_count - 3; ++i) CHECK(at(index.find(digest_of(i)), 0, i));
  for (std::uint32_t i = 0; i < 10; ++i) CHECK_FALSE(index.find(digest_of(k_count + i)));
  for (std::uint32_t i = last; i < k_count; ++i) index.find(digest_of(i));
  for (std::uint32_t i = 0; i < 1000; ++i) CHECK_FALSE(index.find(digest_of(k_count + i)));

  // Behind a long stretch of new content nothing is expected in its place; but what follows comes first.
  std::uint32_t first = 0;
  while (!index.find(digest_of(first))) ++first;
  for (std::uint32_t i = 0; i < 1000; ++i) CHECK_FALSE(index.find(digest_of(k_count + i)));
  CHECK(at(index.find(digest_of(first + 1)), 0, first + 1));
}

TEST_CASE("an index without a place for its file says so when it needs one") {
  DedupIndex index{"/nonexistent-directory"};
  index.insert(digest_of(1), {1, 1});
  CHECK(at(index.find(digest_of(1)), 1, 1));
  CHECK_THROWS_AS(
      {
        for (std::uint32_t i = 0; i < 60'000; ++i) index.insert(digest_of(i), {0, i});
      },
      Error);
}
