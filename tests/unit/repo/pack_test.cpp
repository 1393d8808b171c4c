#include "repo/pack.hpp"

#include "codec/zstd.hpp"
#include "repo/format.hpp"
#include "unit/support.hpp"
#include "util/file.hpp"

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;

namespace {

using Texts = std::vector<std::vector<std::string>>;
const Texts k_texts{{"hello, world\n", "hello again\n"}, {std::string(40, 'a')}};

PackBuilder::Built build(const Texts& frames, const std::optional<Spool>& spool = {}) {
  PackBuilder builder{spool};
  for (const auto& frame : frames) {
    std::string raw;
    std::vector<PackBuilder::Chunk> chunks;
    for (const auto& text : frame) {
      raw += text;
      chunks.push_back({sha256(text), static_cast<std::uint32_t>(text.size())});
    }
    builder.add_frame(zstd_compress(as_bytes(raw)), chunks);
  }
  CHECK(builder.size() < builder.expected_size());
  const std::uint64_t expected = builder.expected_size();
  auto built = builder.finish();
  CHECK(built.ref.size <= expected);
  return built;
}

// The bytes that cairn-format(5) shows.
Bytes bytes_of_page() {
  std::ifstream page{CAIRN_SOURCE_DIR "/man/cairn-format.5"};
  Bytes out;
  for (std::string line; std::getline(page, line);) {
    // "0000  43 41 ...": offset, two spaces, up to 16 bytes in 47 columns
    if (line.size() < 10 || line.substr(4, 2) != "  " ||
        from_hex(line.substr(0, 4)) !=
            Bytes{static_cast<std::uint8_t>(out.size() >> 8), static_cast<std::uint8_t>(out.size())})
      continue;
    for (std::size_t at = 6; at + 2 <= std::min<std::size_t>(line.size(), 53) && line[at] != ' '; at += 3) {
      const auto byte = from_hex(line.substr(at, 2));
      REQUIRE(byte);
      append(out, *byte);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("pack: header, frames, directory and trailer are where cairn-format(5) puts them") {
  const auto built = build(k_texts);
  const ByteView pack{built.memory};
  CHECK(sha256(pack) == built.ref.name);
  CHECK(pack.size() == built.ref.size);
  CHECK(built.ref.raw_bytes == 65);
  CHECK_NOTHROW(check_pack_header(pack.first(k_pack_header_size), built.ref));
  CHECK_NOTHROW(check_pack_ref(built.ref));
  const auto trailer = parse_pack_trailer(pack.last(k_pack_trailer_size), pack.size());
  CHECK(trailer.directory_offset == built.ref.directory_offset);
  CHECK(trailer.directory_size == built.ref.directory_size);
  const auto directory = PackDirectory::decode(pack.subspan(trailer.directory_offset, trailer.directory_size));
  CHECK(directory.logical_id() == built.ref.logical_id);
  CHECK(directory.data_size() == trailer.directory_offset - k_pack_header_size);
  for (std::uint32_t f = 0; f < k_texts.size(); ++f) {
    const Frame& frame = directory.frames()[f];
    const Bytes raw =
        zstd_decompress(pack.subspan(k_pack_header_size + frame.offset, frame.stored_size), frame.raw_size);
    for (std::uint32_t c = 0; c < frame.chunk_count; ++c) {
      const std::uint32_t chunk = frame.first_chunk + c;
      const auto bytes = ByteView{raw}.subspan(directory.offset_in_frame(chunk), directory.length(chunk));
      CHECK(as_text(bytes) == k_texts[f][c]);
      CHECK(sha256(bytes) == directory.digest(chunk));
      CHECK(directory.frame_of(chunk) == f);
    }
  }
}

TEST_CASE("pack: the one in cairn-format(5) is what is built today, but for its random bytes") {
  const Bytes page = bytes_of_page();
  REQUIRE(page.size() == 268);
  CHECK(sha256(page).hex() == "08603817356b99a2c36b106ac653894cbeed20db2d4ffc55ca518f69bcb8fcb9");
  const auto trailer = parse_pack_trailer(ByteView{page}.last(k_pack_trailer_size), page.size());
  const auto directory =
      PackDirectory::decode(ByteView{page}.subspan(trailer.directory_offset, trailer.directory_size));
  CHECK(directory.logical_id().hex() == "5664d6652f2bf6665b131d979a73789e28612aa810479e312564b5a56341fa03");
  Bytes now = build(k_texts).memory;
  REQUIRE(now.size() == page.size());
  std::copy_n(page.begin() + 16, 16, now.begin() + 16);
  CHECK(now == page);
}

TEST_CASE("pack: two of the same content have one logical id and two names; in a file as in memory") {
  const TemporaryDirectory spool{fs::temp_directory_path()};
  const auto first = build(k_texts);
  const auto second = build(k_texts, spool.path());
  CHECK(first.ref.logical_id == second.ref.logical_id);
  CHECK(first.ref.name != second.ref.name);
  CHECK(second.memory.empty());
  REQUIRE(second.file);
  const Bytes bytes = read_file(*second.file);
  CHECK(sha256(bytes) == second.ref.name);
  CHECK(bytes.size() == first.memory.size());
  CHECK(std::equal(bytes.begin() + 32, bytes.end(), first.memory.begin() + 32));
  // The same chunks in other frames are the same content.
  CHECK(build({{k_texts[0][0]}, {k_texts[0][1], k_texts[1][0]}}).ref.logical_id == first.ref.logical_id);
  CHECK(build({{k_texts[0][1], k_texts[0][0]}, k_texts[1]}).ref.logical_id != first.ref.logical_id);
}

TEST_CASE("pack: a builder that is dropped leaves no file") {
  const TemporaryDirectory spool{fs::temp_directory_path()};
  {
    PackBuilder builder{spool.path()};
    builder.add_frame(zstd_compress(as_bytes("x")), {{sha256(std::string_view{"x"}), 1}});
    CHECK(std::distance(fs::directory_iterator{spool.path()}, fs::directory_iterator{}) == 1);
  }
  CHECK(fs::is_empty(spool.path()));
}

TEST_CASE("pack: a builder refuses what no reader would take") {
  PackBuilder builder{std::nullopt};
  const Digest digest{};
  const Bytes stored(100, 0);
  CHECK(failure_of([&] { builder.add_frame(stored, {}); }) == ErrorKind::failed);
  CHECK(failure_of([&] { builder.add_frame({}, {{digest, 1}}); }) == ErrorKind::failed);
  CHECK(failure_of([&] { builder.add_frame(stored, {{digest, 0}}); }) == ErrorKind::failed);
  CHECK(failure_of([&] { builder.add_frame(stored, {{digest, k_max_chunk + 1}}); }) == ErrorKind::failed);
  const std::vector<PackBuilder::Chunk> full(16, {digest, k_max_chunk});
  CHECK_NOTHROW(builder.add_frame(stored, full));
  std::vector<PackBuilder::Chunk> over = full;
  over.push_back({digest, 1});
  CHECK(failure_of([&] { builder.add_frame(stored, over); }) == ErrorKind::failed);
  CHECK(failure_of([&] { builder.add_frame(Bytes(k_max_frame_stored + 1, 0), {{digest, 1}}); }) == ErrorKind::failed);
  CHECK(builder.directory().chunk_count() == 16);
}

TEST_CASE("pack: a full pack by expected size keeps the limit on chunks, however well they compress") {
  CHECK(PackDirectory::max_encoded_size(1, k_max_pack_chunks) > k_max_pack_target);
  CHECK(PackDirectory::max_encoded_size(k_max_pack_chunks, k_max_pack_chunks) < PackDirectory::k_max_stored_size);
}

TEST_CASE("pack header: each field") {
  const auto built = build(k_texts);
  const Bytes header(built.memory.begin(), built.memory.begin() + 32);
  for (std::size_t n = 0; n < header.size(); ++n) {
    CHECK(failure_of([&] { check_pack_header(ByteView{header}.first(n), built.ref); }) == ErrorKind::damaged);
  }
  CHECK(failure_of([&] { check_pack_header(ByteView{built.memory}.first(33), built.ref); }) == ErrorKind::damaged);
  for (std::size_t i = 0; i < header.size(); ++i) {
    Bytes bad = header;
    bad[i] ^= 0x40;
    const auto failure = failure_of([&] { check_pack_header(bad, built.ref); });
    if (i < 8)
      CHECK(failure == ErrorKind::damaged);
    else if (i < 16)
      CHECK(failure == ErrorKind::failed);  // a newer version, another seal: not damage
    else
      CHECK_FALSE(failure);
  }
}

TEST_CASE("pack trailer: each field, each length") {
  const auto built = build(k_texts);
  const Bytes trailer(built.memory.end() - 32, built.memory.end());
  const std::uint64_t size = built.memory.size();
  CHECK_NOTHROW(parse_pack_trailer(trailer, size));
  for (std::size_t n = 0; n < trailer.size(); ++n) {
    CHECK(failure_of([&] { parse_pack_trailer(ByteView{trailer}.first(n), size); }) == ErrorKind::damaged);
  }
  for (std::size_t bit = 0; bit < trailer.size() * 8; ++bit) {
    Bytes bad = trailer;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    CHECK(failure_of([&] { parse_pack_trailer(bad, size); }) == ErrorKind::damaged);
  }
  for (const std::uint64_t wrong :
       {std::uint64_t{0}, std::uint64_t{31}, std::uint64_t{63}, size - 1, size + 1, UINT64_MAX}) {
    CHECK(failure_of([&] { parse_pack_trailer(trailer, wrong); }) == ErrorKind::damaged);
  }
  const auto with = [&](std::uint64_t offset, std::uint64_t length) {
    Bytes bad;
    put_u64(bad, offset);
    put_u64(bad, length);
    bad.insert(bad.end(), trailer.begin() + 16, trailer.end());
    return failure_of([&] { parse_pack_trailer(bad, size); });
  };
  // Sums that wrap around must not pass.
  CHECK(with(0, size - 32) == ErrorKind::damaged);
  CHECK(with(31, size - 63) == ErrorKind::damaged);
  CHECK(with(UINT64_MAX, size - 31) == ErrorKind::damaged);
  CHECK(with(size, UINT64_MAX - 31) == ErrorKind::damaged);
  CHECK_FALSE(with(size - 32, 0));
}

TEST_CASE("pack reference: ranges and seals of a list") {
  const PackRef good = build(k_texts).ref;
  const auto with = [&](auto change) {
    PackRef bad = good;
    change(bad);
    return failure_of([&] { check_pack_ref(bad); });
  };
  CHECK_FALSE(with([](PackRef&) {}));
  CHECK(with([](PackRef& r) { r.size = 0; }) == ErrorKind::damaged);
  CHECK(with([](PackRef& r) { r.size = 63; }) == ErrorKind::damaged);
  CHECK(with([](PackRef& r) { ++r.size; }) == ErrorKind::damaged);
  CHECK(with([](PackRef& r) { --r.directory_size; }) == ErrorKind::damaged);
  CHECK(with([](PackRef& r) {
          r.directory_offset = 31;
          r.directory_size = r.size - 63;
        }) == ErrorKind::damaged);
  CHECK(with([](PackRef& r) {
          r.directory_offset = UINT64_MAX;
          r.directory_size = r.size - 31;
        }) == ErrorKind::damaged);
  // A directory that no pack can have: nobody may be made to fetch it.
  CHECK(with([](PackRef& r) {
          r.size = std::uint64_t{1} << 52;
          r.directory_offset = 32;
          r.directory_size = r.size - 64;
        }) == ErrorKind::damaged);
  CHECK(with([](PackRef& r) { r.seal = "age"; }) == ErrorKind::failed);
}

TEST_CASE("pack: extents name it by the first eight bytes of its logical id, in reading order") {
  const auto ref = build(k_texts).ref;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(ref.prefix()));
  CHECK(text == ref.logical_id.hex().substr(0, 16));
}
