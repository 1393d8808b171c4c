#include "codec/zstd.hpp"

#include "unit/support.hpp"

#include <string>

#include <doctest/doctest.h>
#include <zstd.h>

using namespace cairn;
using test::failure_of;

namespace {

Bytes noise(std::size_t size) {
  Bytes out(size);
  std::uint32_t state = 12345;
  for (auto& byte : out) byte = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return out;
}

Bytes bytes_of(std::string_view text) {
  Bytes out;
  append(out, as_bytes(text));
  return out;
}

// A frame header that declares any content size, and one empty last block.
Bytes forged(std::uint64_t declared) {
  Bytes out{0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x00};  // 8-byte content size, window of 1 KiB
  put_u64(out, declared);
  out.insert(out.end(), {0x01, 0x00, 0x00});
  return out;
}

}  // namespace

TEST_CASE("zstd: what goes in comes out, compressible or not, of any size") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{1} << 20}) {
    for (const Bytes& raw : {noise(size), Bytes(size, 'x')}) {
      const Bytes stored = zstd_compress(raw);
      CHECK(zstd_decompress(stored, raw.size()) == raw);
      CHECK(zstd_decompress_bounded(stored, raw.size()) == raw);
      CHECK(stored.size() <= raw.size() + raw.size() / 256 + 64 + 18);
      CHECK(ZSTD_getFrameContentSize(stored.data(), stored.size()) == raw.size());
    }
  }
}

TEST_CASE("zstd: a frame cut anywhere, or with a byte more, is damaged") {
  const Bytes raw = bytes_of(std::string(3000, 'a') + "the end");
  const Bytes stored = zstd_compress(raw);
  for (std::size_t n = 0; n < stored.size(); ++n) {
    CHECK(failure_of([&] { zstd_decompress(ByteView{stored}.first(n), raw.size()); }) == ErrorKind::damaged);
    CHECK(failure_of([&] { zstd_decompress_bounded(ByteView{stored}.first(n), 1 << 20); }) == ErrorKind::damaged);
  }
  Bytes longer = stored;
  longer.push_back(0);
  CHECK(failure_of([&] { zstd_decompress(longer, raw.size()); }) == ErrorKind::damaged);
}

TEST_CASE("zstd: a window beyond the limit is damaged, though it would not be needed") {
  // A raw block of one byte in a frame with a window descriptor (RFC 8878, 3.1.1.1.2).
  const auto frame = [](std::uint8_t window) {
    Bytes out{0x28, 0xb5, 0x2f, 0xfd, 0xc0, window};
    put_u64(out, 1);
    out.insert(out.end(), {0x09, 0x00, 0x00, 'x'});
    return out;
  };
  for (const std::uint8_t window : {std::uint8_t{14U << 3}, std::uint8_t{13U << 3 | 7}}) {
    CHECK(zstd_decompress(frame(window), 1, 1U << 24) == bytes_of("x"));
  }
  for (const std::uint8_t window : {std::uint8_t{14U << 3 | 1}, std::uint8_t{18U << 3}, std::uint8_t{21U << 3}}) {
    CHECK(zstd_decompress(frame(window), 1) == bytes_of("x"));
    CHECK(failure_of([&] { zstd_decompress(frame(window), 1, 1U << 24); }) == ErrorKind::damaged);
    CHECK(failure_of([&] { zstd_decompress_bounded(frame(window), 1U << 24); }) == ErrorKind::damaged);
  }
}

TEST_CASE("zstd: a wrong size, two frames, a skippable frame and a frame without a size are damaged") {
  const Bytes raw = bytes_of("hello");
  const Bytes stored = zstd_compress(raw);
  for (const std::size_t size : {std::size_t{0}, std::size_t{4}, std::size_t{6}, std::size_t{1} << 20}) {
    CHECK(failure_of([&] { zstd_decompress(stored, size); }) == ErrorKind::damaged);
  }
  CHECK(failure_of([&] { zstd_decompress_bounded(stored, 4); }) == ErrorKind::damaged);
  Bytes two = stored;
  append(two, stored);
  CHECK(failure_of([&] { zstd_decompress(two, 5); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { zstd_decompress(two, 10); }) == ErrorKind::damaged);
  Bytes skippable{0x50, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'};
  CHECK(failure_of([&] { zstd_decompress(skippable, 5); }) == ErrorKind::damaged);
  append(skippable, stored);
  CHECK(failure_of([&] { zstd_decompress(skippable, 5); }) == ErrorKind::damaged);

  Bytes unsized(ZSTD_compressBound(raw.size()));
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  unsized.resize(ZSTD_compress2(context, unsized.data(), unsized.size(), raw.data(), raw.size()));
  ZSTD_freeCCtx(context);
  CHECK(failure_of([&] { zstd_decompress(unsized, raw.size()); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { zstd_decompress_bounded(unsized, 1 << 20); }) == ErrorKind::damaged);
}

TEST_CASE("zstd: a declared size is not believed: above the limit, or more than the stored bytes can hold") {
  // std::bad_alloc or std::length_error would pass failure_of and fail the test.
  for (const std::uint64_t declared : {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 2, std::uint64_t{1} << 60,
                                       std::uint64_t{1} << 40, std::uint64_t{1} << 30}) {
    CHECK(failure_of([&] { zstd_decompress_bounded(forged(declared), SIZE_MAX); }) == ErrorKind::damaged);
    CHECK(failure_of([&] { zstd_decompress_bounded(forged(declared), 1 << 20); }) == ErrorKind::damaged);
  }
  CHECK(failure_of([] { zstd_decompress_bounded(forged(100), 1 << 20); }) == ErrorKind::damaged);
  // The best that zstd can do passes.
  const Bytes zeros(64U << 20, 0);
  CHECK(zstd_decompress_bounded(zstd_compress(zeros), zeros.size()).size() == zeros.size());
}

TEST_CASE("zstd: a flipped bit gives an error or other bytes, never a wrong length") {
  const Bytes raw = bytes_of("some text, some text, some more text, and again some text");
  const Bytes stored = zstd_compress(raw);
  for (std::size_t bit = 0; bit < stored.size() * 8; ++bit) {
    Bytes bad = stored;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    try {
      const std::size_t size = zstd_decompress(bad, raw.size()).size();
      CHECK(size == raw.size());
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::damaged);
    }
  }
}
