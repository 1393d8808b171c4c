#include "capture/sqlite/format.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

namespace cairn::sqlite {

namespace {

constexpr std::string_view k_magic{"SQLite format 3\0", 16};
constexpr std::string_view k_libsql_magic{"LIBSQL\0\0", 8};
constexpr std::uint32_t k_least_usable = 480;
constexpr std::uint32_t k_wal_version = 3007000;
constexpr std::uint32_t k_wal_magic = 0x377f0682;  // the lowest bit says that checksums are big-endian

std::uint32_t get_be32(const std::uint8_t* from) noexcept {
  return std::uint32_t{from[0]} << 24 | std::uint32_t{from[1]} << 16 | std::uint32_t{from[2]} << 8 | from[3];
}

std::uint32_t get_native32(const std::uint8_t* from) noexcept {
  std::uint32_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

bool is_page_size(std::uint32_t size) noexcept {
  return size >= 512 && size <= 65536 && std::has_single_bit(size);
}

constexpr Checksum::Order k_native =
    std::endian::native == std::endian::big ? Checksum::Order::big : Checksum::Order::little;

}  // namespace

bool has_libsql_footer(ByteView last_bytes) noexcept {
  return last_bytes.size() == k_libsql_footer_size &&
         as_text(last_bytes.first(k_libsql_magic.size())) == k_libsql_magic;
}

std::optional<Header> parse_header(ByteView bytes) noexcept {
  if (bytes.size() < k_header_size || as_text(bytes.first(k_magic.size())) != k_magic) return std::nullopt;
  const std::uint8_t* p = bytes.data();
  Header h;
  h.page_size = std::uint32_t{p[16]} << 8 | p[17];
  if (h.page_size == 1) h.page_size = 65536;
  if (!is_page_size(h.page_size)) return std::nullopt;
  // Demands of SQLite itself on a file before it takes it for a database: room left in a page, and the three payload
  // fractions, which have had these values ever since.
  if (h.page_size - p[20] < k_least_usable || p[21] != 64 || p[22] != 32 || p[23] != 32) return std::nullopt;
  h.write_version = p[18];
  h.read_version = p[19];
  h.change_counter = get_be32(p + 24);
  h.page_count = get_be32(p + 28);
  h.freelist_count = get_be32(p + 36);
  h.schema_version = get_be32(p + 40);
  h.encoding = get_be32(p + 56);
  h.user_version = static_cast<std::int32_t>(get_be32(p + 60));
  h.application_id = static_cast<std::int32_t>(get_be32(p + 68));
  h.version_valid_for = get_be32(p + 92);
  h.sqlite_version = get_be32(p + 96);
  return h;
}

std::uint64_t Header::pages(std::uint64_t file_size) const noexcept {
  if (page_count != 0 && version_valid_for == change_counter) return page_count;
  return (file_size + page_size - 1) / page_size;
}

std::string Header::encoding_name() const {
  switch (encoding) {
    case 2:
      return "UTF-16le";
    case 3:
      return "UTF-16be";
    default:
      return "UTF-8";  // 0 stands for the default until the first table is made
  }
}

std::string Header::sqlite_version_text() const {
  return fmt::format("{}.{}.{}", sqlite_version / 1000000, sqlite_version / 1000 % 1000, sqlite_version % 1000);
}

void Checksum::update(ByteView bytes, Order order) noexcept {
  std::uint32_t a = s0;
  std::uint32_t b = s1;
  const std::uint8_t* p = bytes.data();
  const std::uint8_t* const end = p + bytes.size() / 8 * 8;
  // Two loops: the byte order is the machine's own nearly always, and then a word is one load.
  if (order == k_native) {
    for (; p != end; p += 8) {
      a += get_native32(p) + b;
      b += get_native32(p + 4) + a;
    }
  } else {
    for (; p != end; p += 8) {
      a += __builtin_bswap32(get_native32(p)) + b;
      b += __builtin_bswap32(get_native32(p + 4)) + a;
    }
  }
  s0 = a;
  s1 = b;
}

std::optional<WalIndexHeader> parse_wal_index_header(ByteView bytes) noexcept {
  if (bytes.size() < k_wal_index_header_size) return std::nullopt;
  const std::uint8_t* p = bytes.data();
  if (p[12] == 0 || get_native32(p) != k_wal_version) return std::nullopt;
  Checksum own;
  own.update(bytes.first(40), k_native);
  if (own != Checksum{get_native32(p + 40), get_native32(p + 44)}) return std::nullopt;
  WalIndexHeader h;
  h.change = get_native32(p + 8);
  h.order = p[13] != 0 ? Checksum::Order::big : Checksum::Order::little;
  // 65536 does not fit into the 16 bits: it is written as 1.
  std::uint16_t size = 0;
  std::memcpy(&size, p + 14, sizeof size);
  h.page_size = (size & 0xfe00U) + ((size & 1U) << 16);
  h.max_frame = get_native32(p + 16);
  h.page_count = get_native32(p + 20);
  h.frame_checksum = {get_native32(p + 24), get_native32(p + 28)};
  std::copy_n(p + 32, h.salt.size(), h.salt.begin());
  // An index over an empty log names no page size yet.
  if (h.max_frame != 0 && !is_page_size(h.page_size)) return std::nullopt;
  return h;
}

std::optional<WalHeader> parse_wal_header(ByteView bytes) noexcept {
  if (bytes.size() < k_wal_header_size) return std::nullopt;
  const std::uint8_t* p = bytes.data();
  const std::uint32_t magic = get_be32(p);
  if ((magic & ~1U) != k_wal_magic || get_be32(p + 4) != k_wal_version) return std::nullopt;
  WalHeader h;
  h.order = (magic & 1U) != 0 ? Checksum::Order::big : Checksum::Order::little;
  h.page_size = get_be32(p + 8);
  if (!is_page_size(h.page_size)) return std::nullopt;
  std::copy_n(p + 16, h.salt.size(), h.salt.begin());
  h.checksum.update(bytes.first(24), h.order);
  if (h.checksum != Checksum{get_be32(p + 24), get_be32(p + 28)}) return std::nullopt;
  return h;
}

FrameHeader parse_frame_header(std::span<const std::uint8_t, k_frame_header_size> bytes) noexcept {
  const std::uint8_t* p = bytes.data();
  FrameHeader h;
  h.page = get_be32(p);
  h.commit_size = get_be32(p + 4);
  std::copy_n(p + 8, h.salt.size(), h.salt.begin());
  h.checksum = {get_be32(p + 16), get_be32(p + 20)};
  return h;
}

}  // namespace cairn::sqlite
