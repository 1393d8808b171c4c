#include "util/spool_file.hpp"

#include "util/error.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

Bytes pattern(std::size_t from, std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>((from + i) * 131 >> 3);
  return bytes;
}

Bytes read(SpoolFile& file, std::uint64_t from, std::size_t count) {
  Bytes bytes(count);
  file.read(from, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("a spool file gives back any range, from memory, from disk and across both") {
  const TemporaryDirectory directory{fs::temp_directory_path(), "spool"};
  SpoolFile file{directory.path()};
  constexpr std::size_t k_size = 3'000'000;
  for (std::size_t at = 0; at < k_size; at += 1000) file.write(pattern(at, 1000));
  CHECK(file.size() == k_size);
  CHECK(fs::is_empty(directory.path()));
  CHECK(read(file, 0, k_size) == pattern(0, k_size));
  for (const std::size_t from : {std::size_t{2'999'990}, std::size_t{0}, std::size_t{1'048'000}, std::size_t{2'097'000},
                                 std::size_t{16'380}, std::size_t{5}}) {
    CAPTURE(from);
    CHECK(read(file, from, 10) == pattern(from, 10));
    Bytes next(5000);
    if (from + 10 + next.size() <= k_size) {
      file.read(next);
      CHECK(next == pattern(from + 10, next.size()));
    }
  }
  // Written between two reads.
  CHECK(read(file, k_size - 1, 1) == pattern(k_size - 1, 1));
  file.write(pattern(k_size, 2'000'000));
  CHECK(read(file, k_size - 5, 1'000'000) == pattern(k_size - 5, 1'000'000));
  Bytes beyond(11);
  CHECK_THROWS_AS(file.read(file.size() - 10, beyond), Error);
  CHECK_THROWS_AS(file.read(file.size() + 10, beyond), Error);
}

TEST_CASE("a spool file goes back, in memory and on disk") {
  const TemporaryDirectory directory{fs::temp_directory_path(), "spool"};
  SpoolFile file{directory.path()};
  file.write(pattern(0, 1'500'000));
  file.write(pattern(7, 500));
  file.truncate(1'500'010);
  CHECK(file.size() == 1'500'010);
  CHECK(read(file, 1'500'000, 10) == pattern(7, 10));
  file.truncate(1'000);
  file.write(pattern(90, 100));
  CHECK(file.size() == 1'100);
  CHECK(read(file, 1'000, 100) == pattern(90, 100));
  CHECK(read(file, 990, 10) == pattern(990, 10));
}

TEST_CASE("what fits into memory needs no directory") {
  SpoolFile file{"/nonexistent-directory"};
  file.write(pattern(0, 1000));
  CHECK(read(file, 500, 500) == pattern(500, 500));
  CHECK_THROWS_AS(file.write(pattern(0, 2 << 20)), Error);
}
