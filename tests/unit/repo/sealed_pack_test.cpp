#include "codec/zstd.hpp"
#include "repo/pack.hpp"
#include "repo/padding.hpp"
#include "unit/support.hpp"

#include <numeric>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;

namespace {

struct Keys {
  age::Identity owner = age::Identity::generate();
  age::Identity host_key = age::Identity::generate();
  Keyring host{{owner.recipient()}, host_key, {}};
  Keyring reader{{}, std::nullopt, [this] { return std::vector{owner}; }};
};

// A few frames of what does not compress, so that segments end within them.
PackBuilder::Built build(const Keyring& keys, PackContent content, std::string& plain, std::size_t frames = 5) {
  PackBuilder builder{std::nullopt, keys, content};
  for (std::size_t i = 0; i < frames; ++i) {
    const Bytes raw = random_bytes(50'000 + i);
    const Bytes stored = zstd_compress(raw);
    plain += as_text(stored);
    builder.add_frame(stored, {{sha256(raw), static_cast<std::uint32_t>(raw.size())}});
  }
  const auto expected = builder.expected_size();
  auto built = builder.finish();
  CHECK(built.ref.size <= expected);
  return built;
}

ByteView range(const PackBuilder::Built& built, StoredRange where) {
  return ByteView{built.memory}.subspan(where.offset, where.length);
}

}  // namespace

TEST_CASE("sealed pack: every range of the data part, from the segments that hold it and no more") {
  Keys keys;
  std::string plain;
  const auto built = build(keys.host, PackContent::files, plain);
  const PackRef& ref = built.ref;
  CHECK(ref.seal == keys.host.seal());
  CHECK_NOTHROW(check_pack_ref(ref));
  CHECK_NOTHROW(check_pack_header(ByteView{built.memory}.first(k_pack_header_size), ref));
  const auto stored = ByteView{built.memory}.subspan(ref.directory_offset, ref.directory_size);
  const auto directory = open_pack_directory(stored, ref, keys.reader);
  CHECK(directory.data_size() == plain.size());
  const auto key = open_pack_data(ref, directory, keys.reader);
  for (const std::uint64_t offset : std::initializer_list<std::uint64_t>{0, 1, 65535, 65536, 65537, 131072, 200000}) {
    for (const std::uint64_t length : std::initializer_list<std::uint64_t>{1, 65536, 65537, 40000}) {
      if (offset + length > plain.size()) continue;
      const auto where = stored_range(ref, directory, offset, length);
      CHECK(where.length <= length + 2 * 65536 + 5 * 16);
      const Bytes bytes = unseal_range(key, ref, directory, offset, length, range(built, where));
      CHECK(as_text(bytes) == plain.substr(offset, length));
    }
  }
  const auto all = stored_range(ref, directory, 0, plain.size());
  CHECK(as_text(unseal_range(key, ref, directory, 0, plain.size(), range(built, all))) == plain);
}

TEST_CASE("sealed pack: the host that wrote it reads its directory and lists, not content") {
  Keys keys;
  std::string plain;
  const auto content = build(keys.host, PackContent::files, plain);
  const auto list = build(keys.host, PackContent::list, plain);
  for (const auto* built : {&content, &list}) {
    const auto stored = ByteView{built->memory}.subspan(built->ref.directory_offset, built->ref.directory_size);
    const auto directory = open_pack_directory(stored, built->ref, keys.host);
    CHECK(directory.logical_id() == built->ref.logical_id);
    CHECK_NOTHROW(open_pack_data(built->ref, directory, keys.reader));
    const auto failure = failure_of([&] { open_pack_data(built->ref, directory, keys.host); });
    if (built == &content) {
      CHECK(failure == ErrorKind::no_key);
    } else {
      CHECK_FALSE(failure);
    }
    CHECK(failure_of([&] { open_pack_directory(stored, built->ref, no_keys()); }) == ErrorKind::no_key);
  }
}

TEST_CASE("sealed pack: both parts are padded, and what they hold decodes as a zstd stream all the same") {
  Keys keys;
  std::string plain;
  const auto built = build(keys.host, PackContent::files, plain, 3);
  const auto file =
      as_text(ByteView{built.memory}.subspan(k_pack_header_size, built.ref.directory_offset - k_pack_header_size));
  const auto opened = keys.reader.open_file(file);
  REQUIRE(opened);
  CHECK(opened->size() == plain.size() + padding_for(plain.size()));
  CHECK(opened->starts_with(plain));
  CHECK(is_padding(as_bytes(*opened).subspan(plain.size())));
  const auto directory = keys.reader.open_file(
      as_text(ByteView{built.memory}.subspan(built.ref.directory_offset, built.ref.directory_size)));
  REQUIRE(directory);
  CHECK(padme(directory->size()) == directory->size());
}

TEST_CASE("sealed pack: swapped, cut and flipped segments do not open") {
  Keys keys;
  std::string plain;
  const auto built = build(keys.host, PackContent::files, plain);
  const PackRef& ref = built.ref;
  const auto stored = ByteView{built.memory}.subspan(ref.directory_offset, ref.directory_size);
  const auto directory = open_pack_directory(stored, ref, keys.reader);
  const auto key = open_pack_data(ref, directory, keys.reader);
  const auto where = stored_range(ref, directory, 0, plain.size());
  const ByteView good = range(built, where);
  const auto failure = [&](const Bytes& bytes) {
    return failure_of([&] { unseal_range(key, ref, directory, 0, plain.size(), bytes); });
  };
  Bytes bytes(good.begin(), good.end());
  CHECK_FALSE(failure(bytes));
  std::swap_ranges(bytes.begin(), bytes.begin() + 65552, bytes.begin() + 65552);
  CHECK(failure(bytes) == ErrorKind::damaged);
  bytes.assign(good.begin(), good.end());
  for (std::size_t i = 0; i < bytes.size(); i += 4093) {
    bytes[i] ^= 0x10;
    CHECK(failure(bytes) == ErrorKind::damaged);
    bytes[i] ^= 0x10;
  }
  bytes.resize(65552 * 2);
  CHECK(failure(bytes) == ErrorKind::damaged);
  bytes.resize(10);
  CHECK(failure(bytes) == ErrorKind::damaged);
  // The directory of another pack, whole and well sealed.
  std::string other_plain;
  const auto other = build(keys.host, PackContent::files, other_plain);
  const auto other_stored = ByteView{other.memory}.subspan(other.ref.directory_offset, other.ref.directory_size);
  CHECK(failure_of([&] { open_pack_directory(other_stored, ref, keys.reader); }) == ErrorKind::damaged);
}
