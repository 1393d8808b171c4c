// The parts that Cairn needs of SQLite's published file formats (sqlite.org: "Database File Format", "WAL-mode File
// Format"): the database header, the write-ahead log and its index. Pure functions over bytes that refuse what is too
// short or says what cannot be; nothing here opens a file.
#pragma once

#include "util/bytes.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace cairn::sqlite {

inline constexpr std::size_t k_header_size = 100;
inline constexpr std::size_t k_wal_header_size = 32;
inline constexpr std::size_t k_frame_header_size = 24;
inline constexpr std::size_t k_wal_index_header_size = 48;  // one of the two copies that begin the -shm file
// Locks live on bytes from here on; the page that holds this byte never carries data.
inline constexpr std::uint64_t k_pending_byte = 0x40000000;

// The first 100 bytes of a database.
struct Header {
  std::uint32_t page_size = 0;     // 512 .. 65536, a power of two
  std::uint8_t write_version = 0;  // 1: rollback journal, 2: WAL; 3 is wal2, others belong to forks
  std::uint8_t read_version = 0;
  std::uint32_t change_counter = 0;
  std::uint32_t page_count = 0;  // to be trusted only through pages()
  std::uint32_t freelist_count = 0;
  std::uint32_t schema_version = 0;
  std::uint32_t encoding = 0;  // 0 (nothing stored yet), 1: UTF-8, 2: UTF-16le, 3: UTF-16be
  std::int32_t user_version = 0;
  std::int32_t application_id = 0;
  std::uint32_t version_valid_for = 0;
  std::uint32_t sqlite_version = 0;  // of the library that wrote last, for example 3040001

  // Pages of the database in a file of this size: the header's count where the last writer kept it (an old library
  // did not), else what the file holds.
  std::uint64_t pages(std::uint64_t file_size) const noexcept;
  std::string encoding_name() const;
  std::string sqlite_version_text() const;
};
// Nothing for fewer than 100 bytes, another magic, an impossible page size, reserved space or payload fraction
// ("Database File Format", 1.3): SQLite opens no such file.
std::optional<Header> parse_header(ByteView bytes) noexcept;

// libSQL writes a footer behind the last page: 34 bytes that begin with its magic.
inline constexpr std::size_t k_libsql_footer_size = 34;
bool has_libsql_footer(ByteView last_bytes) noexcept;

// The number of the page, from 1, that holds the lock bytes.
constexpr std::uint64_t lock_page(std::uint32_t page_size) noexcept {
  return k_pending_byte / page_size + 1;
}

// The running checksum of a log and of the index header: pairs of 32-bit words in the byte order that the log's magic
// names. Lengths are multiples of 8.
struct Checksum {
  std::uint32_t s0 = 0;
  std::uint32_t s1 = 0;
  enum class Order { little, big };
  void update(ByteView bytes, Order order) noexcept;
  bool operator==(const Checksum&) const = default;
};

using Salt = std::array<std::uint8_t, 8>;

// The header of the wal-index, in the byte order of this machine: which frames of the log are committed.
struct WalIndexHeader {
  std::uint32_t change = 0;
  std::uint32_t page_size = 0;
  std::uint32_t max_frame = 0;   // last committed frame; 0 where the log holds nothing
  std::uint32_t page_count = 0;  // of the database after that frame; 0 where nothing was committed since recovery
  Checksum::Order order = Checksum::Order::little;
  Checksum frame_checksum;  // running checksum at max_frame
  Salt salt{};
  bool operator==(const WalIndexHeader&) const = default;
};
// Nothing where the copy is not initialised, torn (its checksum says so) or of another version.
std::optional<WalIndexHeader> parse_wal_index_header(ByteView bytes) noexcept;

struct WalHeader {
  std::uint32_t page_size = 0;
  Checksum::Order order = Checksum::Order::little;
  Salt salt{};
  Checksum checksum;  // of the header; the frames' running checksum goes on from it
};
// Nothing where magic, version, page size or checksum are wrong.
std::optional<WalHeader> parse_wal_header(ByteView bytes) noexcept;

struct FrameHeader {
  std::uint32_t page = 0;         // from 1
  std::uint32_t commit_size = 0;  // pages of the database after a commit, 0 in other frames
  Salt salt{};
  Checksum checksum;
};
FrameHeader parse_frame_header(std::span<const std::uint8_t, k_frame_header_size> bytes) noexcept;

constexpr std::uint64_t frame_offset(std::uint64_t frame, std::uint32_t page_size) noexcept {
  return k_wal_header_size + (frame - 1) * (k_frame_header_size + page_size);
}

}  // namespace cairn::sqlite
