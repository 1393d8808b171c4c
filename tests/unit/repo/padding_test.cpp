#include "repo/padding.hpp"

#include "codec/zstd.hpp"

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("padme: worked examples, never less, at most 12 % more") {
  // L = 9: E = 3, S = 2, one bit goes: 10. L = 1000: E = 9, S = 4, five bits go: 1024.
  CHECK(padme(0) == 0);
  CHECK(padme(1) == 1);
  CHECK(padme(2) == 2);
  CHECK(padme(9) == 10);
  CHECK(padme(1000) == 1024);
  CHECK(padme(1'000'000) == 1'015'808);
  for (std::uint64_t size = 2; size < 5'000'000; size = size * 9 / 8 + 1) {
    CAPTURE(size);
    CHECK(padme(size) >= size);
    CHECK(padme(size) * 100 <= size * 112 + 100);
    CHECK(padme(padme(size)) == padme(size));
  }
  CHECK(padme((1ULL << 40) + 1) == (1ULL << 40) + (1ULL << 34));
}

TEST_CASE("padding: a skippable frame of the size that is asked for, or none") {
  for (std::uint64_t size = 0; size < 3000; ++size) {
    const auto padding = padding_for(size);
    CHECK((padding == 0 || padding >= 8));
    const Bytes frame = padding_frame(padding);
    CHECK(frame.size() == padding);
    CHECK(is_padding(frame));
  }
  Bytes frame = padding_frame(20);
  frame.push_back(0);
  CHECK_FALSE(is_padding(frame));
  frame.resize(19);
  CHECK_FALSE(is_padding(frame));
  CHECK_FALSE(is_padding(zstd_compress(as_bytes("x"))));
}
