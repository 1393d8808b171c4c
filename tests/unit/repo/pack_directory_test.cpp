#include "repo/pack_directory.hpp"

#include "codec/zstd.hpp"
#include "repo/format.hpp"
#include "unit/support.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;

namespace {

PackDirectory sample() {
  PackDirectory directory;
  for (std::uint32_t i = 0; i < 5; ++i) directory.add_chunk(sha256(std::to_string(i)), 100 + i);
  directory.add_frame(77, 5);
  directory.add_chunk(sha256(std::string_view{"x"}), k_max_chunk);
  directory.add_frame(13, 1);
  return directory;
}

// The decoded form, built by hand, each field free.
struct Raw {
  std::string magic = "CAIRNDIR";
  std::uint32_t version = 1;
  std::vector<std::uint32_t> stored{77, 13};
  std::vector<std::uint32_t> counts{2, 1};
  std::vector<std::uint32_t> lengths{10, 20, 30};
  std::uint32_t frames = 2;
  std::uint32_t chunks = 3;
  std::size_t digests = 3;

  Bytes bytes() const {
    Bytes out;
    append(out, as_bytes(magic));
    for (const auto v : {version, frames, chunks}) put_u32(out, v);
    for (const auto& list : {stored, counts, lengths}) {
      for (const auto v : list) put_u32(out, v);
    }
    out.resize(out.size() + digests * 32, 0xab);
    return out;
  }
  std::optional<ErrorKind> failure() const {
    return failure_of([&] { PackDirectory::decode(zstd_compress(bytes())); });
  }
};

}  // namespace

TEST_CASE("pack directory: decode gives what was encoded") {
  const PackDirectory before = sample();
  const PackDirectory after = PackDirectory::decode(before.encode());
  CHECK(after.logical_id() == before.logical_id());
  CHECK(after.chunk_count() == 6);
  CHECK(after.data_size() == 90);
  CHECK(after.raw_size() == 510 + k_max_chunk);
  REQUIRE(after.frames().size() == 2);
  CHECK(after.frames()[1].offset == 77);
  CHECK(after.frames()[1].first_chunk == 5);
  CHECK(after.frames()[0].raw_size == 510);
  CHECK(after.offset_in_frame(4) == 406);
  CHECK(after.offset_in_frame(5) == 0);
  CHECK(after.frame_of(4) == 0);
  CHECK(after.frame_of(5) == 1);
  CHECK(after.encode().size() <= PackDirectory::max_encoded_size(2, 6));
}

TEST_CASE("pack directory: the logical id is SHA-256 over digests and lengths, and nothing else") {
  Bytes text;
  for (std::uint32_t i = 0; i < 5; ++i) {
    append(text, sha256(std::to_string(i)).bytes);
    put_u32(text, 100 + i);
  }
  append(text, sha256(std::string_view{"x"}).bytes);
  put_u32(text, k_max_chunk);
  CHECK(sample().logical_id() == sha256(text));
}

TEST_CASE("pack directory: hand-made ones show that the fields are what the tests below change") {
  CHECK_FALSE(Raw{}.failure());
}

TEST_CASE("pack directory: cut anywhere, before or after compression, is damaged") {
  const Bytes stored = sample().encode();
  for (std::size_t n = 0; n < stored.size(); ++n) {
    CHECK(failure_of([&] { PackDirectory::decode(ByteView{stored}.first(n)); }) == ErrorKind::damaged);
  }
  const Bytes raw = Raw{}.bytes();
  for (std::size_t n = 0; n < raw.size(); ++n) {
    CHECK(failure_of([&] { PackDirectory::decode(zstd_compress(ByteView{raw}.first(n))); }) == ErrorKind::damaged);
  }
  Bytes longer = raw;
  longer.push_back(0);
  // The preamble of a sealed data part follows; whether there may be one is for check_pack_directory().
  CHECK(PackDirectory::decode(zstd_compress(longer)).data_preamble() == std::string(1, '\0'));
  longer.resize(raw.size() + k_max_preamble + 1);
  CHECK(failure_of([&] { PackDirectory::decode(zstd_compress(longer)); }) == ErrorKind::damaged);
}

TEST_CASE("pack directory: every field out of range is damaged") {
  const auto with = [](auto change) {
    Raw raw;
    change(raw);
    return raw.failure();
  };
  CHECK(with([](Raw& r) { r.magic = "CAIRNDIX"; }) == ErrorKind::damaged);
  CHECK(with([](Raw& r) { r.version = 2; }) == ErrorKind::damaged);
  CHECK(with([](Raw& r) { r.version = 0; }) == ErrorKind::damaged);
  for (const std::uint32_t n : {0U, 1U, 3U, 4U, UINT32_MAX}) {
    CHECK(with([n](Raw& r) { r.frames = n; }) == ErrorKind::damaged);
  }
  for (const std::uint32_t n : {0U, 1U, 2U, 4U, k_max_pack_chunks + 1, UINT32_MAX}) {
    CHECK(with([n](Raw& r) { r.chunks = n; }) == ErrorKind::damaged);
  }
  // More frames than chunks, consistent in size.
  CHECK(with([](Raw& r) {
          r.frames = 4;
          r.stored = {1, 1, 1, 1};
          r.counts = {1, 1, 1, 0};
        }) == ErrorKind::damaged);
  CHECK(with([](Raw& r) {
          r.frames = r.chunks = 0;
          r.stored = r.counts = r.lengths = {};
          r.digests = 0;
        }) == ErrorKind::damaged);
  CHECK(with([](Raw& r) { r.counts = {0, 3}; }) == ErrorKind::damaged);
  CHECK(with([](Raw& r) { r.counts = {3, 0}; }) == ErrorKind::damaged);
  CHECK(with([](Raw& r) { r.counts = {1, 1}; }) == ErrorKind::damaged);
  CHECK(with([](Raw& r) { r.counts = {2, 2}; }) == ErrorKind::damaged);
  CHECK(with([](Raw& r) { r.counts = {UINT32_MAX, 4}; }) == ErrorKind::damaged);  // wraps to 3
  CHECK(with([](Raw& r) { r.stored = {0, 13}; }) == ErrorKind::damaged);
  CHECK(with([](Raw& r) { r.stored = {k_max_frame_stored + 1, 13}; }) == ErrorKind::damaged);
  CHECK_FALSE(with([](Raw& r) { r.stored = {k_max_frame_stored, 13}; }));
  CHECK(with([](Raw& r) { r.lengths = {0, 20, 30}; }) == ErrorKind::damaged);
  CHECK(with([](Raw& r) { r.lengths = {10, 20, k_max_chunk + 1}; }) == ErrorKind::damaged);
  CHECK_FALSE(with([](Raw& r) { r.lengths = {10, 20, k_max_chunk}; }));
}

TEST_CASE("pack directory: a frame's raw size has a limit of its own") {
  for (const std::uint32_t chunks : {16U, 17U}) {
    Raw raw;
    raw.frames = 1;
    raw.chunks = chunks;
    raw.stored = {100};
    raw.counts = {chunks};
    raw.lengths.assign(chunks, k_max_chunk);
    raw.digests = chunks;
    CHECK(raw.failure() == (chunks == 16 ? std::nullopt : std::optional{ErrorKind::damaged}));
  }
}

TEST_CASE("pack directory: every flipped bit is refused or changes the logical id") {
  const PackDirectory before = sample();
  const Bytes stored = before.encode();
  for (std::size_t bit = 0; bit < stored.size() * 8; ++bit) {
    Bytes bad = stored;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    try {
      const auto after = PackDirectory::decode(bad);
      // How chunks lie in frames is no part of the logical id: the chunks' digests catch that when they are read.
      bool same = after.logical_id() == before.logical_id() && after.frames().size() == before.frames().size();
      for (std::size_t f = 0; same && f < after.frames().size(); ++f) {
        same = after.frames()[f].stored_size == before.frames()[f].stored_size &&
               after.frames()[f].chunk_count == before.frames()[f].chunk_count;
      }
      // Bits of the zstd frame header that mean nothing (the unused bit) may be flipped without effect.
      if (same) CHECK(bit / 8 < 8);
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::damaged);
    }
  }
}
