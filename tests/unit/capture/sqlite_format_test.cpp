#include "capture/sqlite/format.hpp"
#include "sqlite_support.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::sqlite;

namespace {

Bytes valid_header() {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "a.db";
  {
    test::Database db{path};
    db.run("PRAGMA user_version = -7; PRAGMA application_id = 42; PRAGMA encoding = 'UTF-16be'; CREATE TABLE t(a)");
  }
  Bytes bytes = read_file(path);
  bytes.resize(k_header_size);
  return bytes;
}

}  // namespace

TEST_CASE("sqlite format: the database header says what SQLite wrote") {
  const auto header = parse_header(valid_header());
  REQUIRE(header);
  CHECK(header->page_size == 4096);
  CHECK(header->read_version == 1);
  CHECK(header->user_version == -7);
  CHECK(header->application_id == 42);
  CHECK(header->encoding_name() == "UTF-16be");
  CHECK(header->sqlite_version_text() == sqlite3_libversion());
  CHECK(header->pages(1 << 20) == 2);
}

TEST_CASE("sqlite format: a stale page count gives way to the size of the file") {
  Bytes bytes = valid_header();
  bytes[27] ^= 1;  // the change counter moved on without the page count
  CHECK(parse_header(bytes)->pages(5 * 4096) == 5);
  CHECK(parse_header(bytes)->pages(5 * 4096 + 1) == 6);
}

TEST_CASE("sqlite format: headers that cannot be are refused") {
  const Bytes good = valid_header();
  CHECK_FALSE(parse_header(ByteView{good}.first(99)));
  CHECK_FALSE(parse_header({}));
  Bytes bad = good;
  bad[0] = 's';
  CHECK_FALSE(parse_header(bad));
  for (const int size : {0, 2, 256, 513, 4097, 65535}) {
    bad = good;
    bad[16] = static_cast<std::uint8_t>(size >> 8);
    bad[17] = static_cast<std::uint8_t>(size & 0xff);
    CAPTURE(size);
    CHECK_FALSE(parse_header(bad));
  }
  // Other fields that SQLite looks at: reserved bytes of a page, and the payload fractions.
  for (const std::size_t at : {std::size_t{21}, std::size_t{22}, std::size_t{23}}) {
    bad = good;
    ++bad[at];
    CAPTURE(at);
    CHECK_FALSE(parse_header(bad));
  }
  bad = good;
  bad[16] = 2;
  bad[17] = 0;
  bad[20] = 32;
  CHECK(parse_header(bad)->page_size == 512);
  bad[20] = 33;
  CHECK_FALSE(parse_header(bad));
  bad = good;
  bad[16] = 0;
  bad[17] = 1;
  CHECK(parse_header(bad)->page_size == 65536);
}

TEST_CASE("sqlite format: log headers are checked") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  test::Database db{directory.path() / "a.db"};
  db.run("PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; CREATE TABLE t(a)");
  const Bytes log = read_file(directory.path() / "a.db-wal");
  const auto header = parse_wal_header(log);
  REQUIRE(header);
  CHECK(header->page_size == 1024);
  CHECK_FALSE(parse_wal_header(ByteView{log}.first(31)));
  for (std::size_t i = 0; i < k_wal_header_size; ++i) {
    Bytes bad = log;
    bad[i] ^= 0x10;
    CAPTURE(i);
    CHECK_FALSE(parse_wal_header(bad));
  }
  const auto frame = parse_frame_header(ByteView{log}.subspan(k_wal_header_size).first<k_frame_header_size>());
  CHECK(frame.salt == header->salt);
  CHECK(frame.page == 1);
}

TEST_CASE("sqlite format: a torn index header is nothing") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  test::Database db{directory.path() / "a.db"};
  db.run("PRAGMA journal_mode = WAL; CREATE TABLE t(a)");
  const Bytes index = read_file(directory.path() / "a.db-shm");
  const auto header = parse_wal_index_header(index);
  REQUIRE(header);
  CHECK(header->page_size == 4096);
  CHECK(header->max_frame == 2);
  CHECK(header->page_count == 2);
  for (std::size_t i = 0; i < k_wal_index_header_size; ++i) {
    Bytes bad = index;
    bad[i] ^= 0x10;
    CAPTURE(i);
    CHECK_FALSE(parse_wal_index_header(bad));
  }
  CHECK_FALSE(parse_wal_index_header(Bytes(k_wal_index_header_size, 0)));
  CHECK_FALSE(parse_wal_index_header(ByteView{index}.first(47)));
}
