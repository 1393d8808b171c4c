// The headers of a SQLite database, of its log and of the log's index, and the database inside a log's frames.
#include "capture/sqlite/format.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

bool is_page_size(std::uint32_t size) {
  return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

void run(std::string_view input) {
  const ByteView bytes = as_bytes(input);
  if (const auto header = sqlite::parse_header(bytes)) {
    require(is_page_size(header->page_size), "a page size is one");
    require(header->pages(0) <= UINT32_MAX && header->pages(UINT64_MAX / 2) > 0, "pages are counted");
    require(!header->encoding_name().empty() && !header->sqlite_version_text().empty(), "names are given");
    require(sqlite::lock_page(header->page_size) > 0, "there is a lock page");
  }
  if (const auto header = sqlite::parse_wal_index_header(bytes)) {
    require(header->max_frame == 0 || is_page_size(header->page_size), "a page size is one");
  }
  if (const auto header = sqlite::parse_wal_header(bytes)) {
    require(is_page_size(header->page_size), "a page size is one");
  }
  static_cast<void>(sqlite::has_libsql_footer(bytes.last(std::min(bytes.size(), sqlite::k_libsql_footer_size))));
}

// A header with right checksums, for the fuzzer to begin with.
std::string wal_header() {
  std::string bytes("\x37\x7f\x06\x83\x00\x2d\xe2\x18\x00\x00\x10\x00\x00\x00\x00\x01saltsalt", 24);
  sqlite::Checksum sum;
  sum.update(as_bytes(bytes), sqlite::Checksum::Order::big);
  for (const std::uint32_t word : {sum.s0, sum.s1}) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(word >> shift & 0xff);
  }
  return bytes;
}

std::string wal_index_header() {
  Bytes bytes;
  put_u32(bytes, 3007000);
  put_u32(bytes, 0);
  put_u32(bytes, 7);
  append(bytes, as_bytes(std::string_view("\x01\x00\x00\x10", 4)));
  for (const std::uint32_t word : {3U, 2U, 1U, 1U}) put_u32(bytes, word);
  append(bytes, as_bytes("saltsalt"));
  sqlite::Checksum sum;
  sum.update(bytes, sqlite::Checksum::Order::little);
  put_u32(bytes, sum.s0);
  put_u32(bytes, sum.s1);
  return std::string{as_text(bytes)};
}

std::vector<std::string> seeds() {
  std::string database("SQLite format 3\0\x10\x00\x02\x02\x00\x40\x20\x20\x00\x00\x00\x05\x00\x00\x00\x03", 32);
  database.resize(100, '\0');
  database[59] = 1;
  database[95] = 5;
  return {database, wal_header(), wal_index_header(), std::string("LIBSQL\0\0", 8) + std::string(26, 'x')};
}

const fuzz::Registration k_registration{{"sqlite_format", run, seeds}};

}  // namespace
