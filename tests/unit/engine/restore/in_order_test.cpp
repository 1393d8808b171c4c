#include "engine/restore/in_order.hpp"

#include "engine/restore/tar_header.hpp"
#include "support/content.hpp"
#include "unit/support.hpp"

#include <algorithm>
#include <random>

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("data segments: neighbours are one, files have their own, and many are read back in pieces") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  DataSegments all{directory.path()};
  all.add({0, 10});
  all.add({10, 5});
  all.add({20, 0});
  all.add({20, 1});
  const SegmentRange first = all.end_file();
  const SegmentRange none = all.end_file();
  for (std::uint64_t i = 0; i < 1000; ++i) all.add({i * 10, 3});
  const SegmentRange many = all.end_file();
  CHECK(first.count == 2);
  CHECK(none.count == 0);
  CHECK(all.read(first.first, 2) == std::vector<DataRange>{{0, 15}, {20, 1}});
  SegmentCursor at{all, many};
  for (std::uint64_t i = 0; i < 1000; ++i) REQUIRE(at.next() == DataRange{i * 10, 3});
  CHECK_FALSE(at.next());
}

TEST_CASE("data segments: widened to blocks, but for the end of the file") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  DataSegments all{directory.path()};
  for (const DataRange& data : {DataRange{100, 700}, {1030, 10}, {5000, 1}, {8000, 99}}) all.add(data);
  BlockSegmentCursor at{all, all.end_file(), 8150};
  CHECK(at.next() == DataRange{0, 1536});
  CHECK(at.next() == DataRange{4608, 512});
  CHECK(at.next() == DataRange{7680, 470});
  CHECK_FALSE(at.next());
}

TEST_CASE("in order: pieces that come in any order leave in that of the file") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const std::string content = test::noise(200'000, 7);
  DataSegments all{directory.path()};
  all.add({0, 60'000});
  all.add({80'000, 120'000});
  const SegmentRange range = all.end_file();
  std::vector<DataRange> pieces;
  for (std::uint64_t at = 0; at < 200'000; at += 500) {
    if (at < 60'000 || at >= 80'000) pieces.push_back({at, 500});
  }
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::shuffle(pieces.begin(), pieces.end(), std::mt19937{seed});
    if (seed == 0) std::reverse(pieces.begin(), pieces.end());
    std::string out(200'000, '\0');
    std::uint64_t end = 0;
    InOrder order{directory.path(), SegmentCursor{all, range}, [&](std::uint64_t offset, ByteView bytes) {
                    REQUIRE(offset >= end);
                    end = offset + bytes.size();
                    std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(offset));
                  }};
    for (const DataRange& piece : pieces) {
      order.push(piece.offset, as_bytes(std::string_view{content}.substr(piece.offset, piece.length)));
    }
    order.finish();
    std::string expected = content;
    std::fill(expected.begin() + 60'000, expected.begin() + 80'000, '\0');
    CHECK(out == expected);
  }
}

TEST_CASE("in order: content that comes twice, is missing or lies in a hole is damage") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  DataSegments all{directory.path()};
  all.add({0, 10});
  all.add({20, 10});
  const SegmentRange range = all.end_file();
  const auto run = [&](const std::vector<DataRange>& pieces) {
    InOrder order{directory.path(), SegmentCursor{all, range}, [](std::uint64_t, ByteView) {}};
    const std::string content(30, 'x');
    for (const DataRange& piece : pieces) {
      order.push(piece.offset, as_bytes(std::string_view{content}.substr(piece.offset, piece.length)));
    }
    order.finish();
  };
  CHECK_NOTHROW(run({{20, 10}, {5, 5}, {0, 5}}));
  CHECK_NOTHROW(run({{0, 5}, {25, 5}, {20, 5}, {5, 5}}));
  for (const std::vector<DataRange>& bad : std::vector<std::vector<DataRange>>{{{0, 10}},
                                                                               {{0, 10}, {0, 10}},
                                                                               {{20, 10}, {25, 5}},
                                                                               {{25, 5}, {20, 10}},
                                                                               {{0, 20}},
                                                                               {{5, 5}, {0, 6}},
                                                                               {{0, 10}, {20, 9}},
                                                                               {{20, 5}, {20, 5}}}) {
    CHECK(test::failure_of([&] { run(bad); }) == ErrorKind::damaged);
  }
}
