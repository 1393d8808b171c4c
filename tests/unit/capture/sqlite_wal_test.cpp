// Databases in WAL mode, read in their place.
#include "capture/sqlite/database.hpp"
#include "capture/sqlite/format.hpp"
#include "sqlite_support.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace cairn;
using namespace cairn::test;

namespace {

struct WalFixture {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path path = directory.path() / "app.db";

  std::unique_ptr<Database> create(int page_size = 4096, int rows = 400) const {
    auto db = std::make_unique<Database>(path);
    db->run("PRAGMA page_size = " + std::to_string(page_size));
    db->run("PRAGMA journal_mode = WAL");
    db->run("PRAGMA wal_autocheckpoint = 0");
    make_table(*db, rows);
    return db;
  }
  fs::path beside(const char* suffix) const { return path.native() + suffix; }

  // Byte for byte what SQLite's own readers see, and nothing of the log is lost.
  Captured check() const {
    const Bytes expected = online_backup(path);
    Captured captured = capture(path);
    CHECK(same_pages(captured.image, expected));
    CHECK(check_integrity(captured.image) == "ok");
    CHECK(fact(captured, "mode") == "wal");
    return captured;
  }
};

void put_be32(std::uint8_t* to, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

}  // namespace

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: every page size, nothing checkpointed yet") {
  for (int size = 512; size <= 65536; size *= 2) {
    CAPTURE(size);
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(beside(suffix));
    const auto db = create(size);
    const Captured captured = check();
    CHECK(fact(captured, "page_size") == std::to_string(size));
    SqliteOpener opener{path, quick_options()};
    Entry entry;
    CHECK(opener.open(entry)->rule().size == static_cast<std::uint32_t>(std::max(size, 4096)));
    CHECK(opener.always_read());
  }
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: the image is what a checkpoint would leave, byte for byte") {
  const auto db = create();
  db->run("UPDATE t SET v = randomblob(500) WHERE id % 7 = 0");
  db->run("PRAGMA user_version = 77; PRAGMA application_id = -5");
  const Captured captured = capture(path);
  db->run("PRAGMA wal_checkpoint(TRUNCATE)");
  CHECK(captured.image == read_file(path));
  CHECK(fact(captured, "user_version") == "77");
  CHECK(fact(captured, "application_id") == "-5");
  CHECK(fact(captured, "encoding") == "UTF-8");
  CHECK(fact(captured, "sqlite_version") == sqlite3_libversion());
  CHECK(fact(captured, "schema_version") == db->value("PRAGMA schema_version"));
  CHECK(fact(captured, "freelist_count") == db->value("PRAGMA freelist_count"));
  CHECK(fact(captured, "page_count") == db->value("PRAGMA page_count"));
  CHECK(fact(captured, "schema_sha256").size() == 64);
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: partly, wholly and not at all checkpointed") {
  const auto db = create();
  check();
  Database reader{path};
  reader.run("BEGIN; SELECT count(*) FROM t");
  db->run("UPDATE t SET v = randomblob(400) WHERE id < 200");
  CHECK(db->value("PRAGMA wal_checkpoint(PASSIVE)") == "0");
  check();  // the reader's mark stopped the checkpoint half-way
  db->run("INSERT INTO t(v) VALUES(randomblob(9000))");
  check();
  reader.run("COMMIT");
  db->run("PRAGMA wal_checkpoint(PASSIVE)");
  check();
  db->run("DELETE FROM t WHERE id % 3 = 0");
  check();
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: after a RESTART and a TRUNCATE checkpoint") {
  const auto db = create();
  for (const char* mode : {"RESTART", "TRUNCATE", "FULL"}) {
    CAPTURE(mode);
    db->run(std::string{"PRAGMA wal_checkpoint("} + mode + ")");
    check();
    db->run("UPDATE t SET v = randomblob(300) WHERE id % 5 = 1");  // frame 1 of a new log
    check();
  }
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: growth and shrinking that only the log knows of") {
  const auto db = create(1024, 50);
  db->run("PRAGMA wal_checkpoint(TRUNCATE)");
  db->run("INSERT INTO t(v) SELECT randomblob(3000) FROM t");
  const Captured grown = check();
  CHECK(grown.image.size() > fs::file_size(path));
  db->run("DELETE FROM t WHERE id > 10");
  db->run("VACUUM");
  const Captured shrunk = check();
  CHECK(shrunk.image.size() < grown.image.size());
  db->run("PRAGMA wal_checkpoint(PASSIVE)");
  check();
  CHECK(capture(path).image == shrunk.image);
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: a main file longer than the database, as the log has it") {
  const auto db = create();
  db->run("PRAGMA wal_checkpoint(TRUNCATE)");
  Database reader{path};
  reader.run("BEGIN; SELECT count(*) FROM t");  // keeps the main file from being cut
  db->run("DELETE FROM t WHERE id > 10");
  db->run("VACUUM");
  const Captured captured = check();
  CHECK(captured.image.size() < fs::file_size(path));
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: one page, two and three") {
  for (int tables = 0; tables < 3; ++tables) {
    CAPTURE(tables);
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(beside(suffix));
    Database db{path};
    db.run("PRAGMA journal_mode = WAL; PRAGMA user_version = 1");
    for (int i = 0; i < tables; ++i) db.run("CREATE TABLE t" + std::to_string(i) + "(a)");
    const Captured captured = check();
    CHECK(captured.image.size() == 4096U * static_cast<unsigned>(tables + 1));
    db.run("PRAGMA wal_checkpoint(TRUNCATE)");
    check();
  }
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: nobody has it open") {
  create()->run("UPDATE t SET v = 1 WHERE id = 1");  // the last close checkpoints and removes the log
  CHECK_FALSE(fs::exists(beside("-wal")));
  const Bytes before = read_file(path);
  const Captured captured = capture(path);
  CHECK(captured.image == before);
  CHECK(read_file(path) == before);
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: a log that its application left behind is recovered, never checkpointed") {
  const fs::path crashed = directory.path() / "crashed.db";
  Bytes expected;
  {
    const auto db = create();
    fs::copy_file(path, crashed);
    fs::copy_file(beside("-wal"), crashed.native() + "-wal");
    expected = online_backup(path);
  }
  const Bytes main_file = read_file(crashed);
  const Bytes log = read_file(crashed.native() + "-wal");
  const Captured captured = capture(crashed);
  CHECK(same_pages(captured.image, expected));
  CHECK(read_file(crashed) == main_file);
  CHECK(read_file(crashed.native() + "-wal") == log);
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: a log written on a machine of the other byte order") {
  const fs::path crashed = directory.path() / "crashed.db";
  const auto db = create(512, 100);
  fs::copy_file(path, crashed);
  Bytes log = read_file(beside("-wal"));
  // The same frames with the checksums of the other order; SQLite would drop them if they were wrong.
  log[3] ^= 1;
  const auto order = (log[3] & 1) != 0 ? sqlite::Checksum::Order::big : sqlite::Checksum::Order::little;
  sqlite::Checksum checksum;
  checksum.update(ByteView{log}.first(24), order);
  put_be32(&log[24], checksum.s0);
  put_be32(&log[28], checksum.s1);
  for (std::size_t at = sqlite::k_wal_header_size; at < log.size(); at += sqlite::k_frame_header_size + 512) {
    checksum.update(ByteView{log}.subspan(at, 8), order);
    checksum.update(ByteView{log}.subspan(at + sqlite::k_frame_header_size, 512), order);
    put_be32(&log[at + 16], checksum.s0);
    put_be32(&log[at + 20], checksum.s1);
  }
  write_file_atomic(crashed.native() + "-wal", log);
  const Captured captured = capture(crashed);
  CHECK(fact(captured, "mode") == "wal");
  CHECK(same_pages(captured.image, online_backup(path)));
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: a damaged frame of a live log is refused") {
  const auto db = create();
  {
    Bytes log = read_file(beside("-wal"));
    log[log.size() / 2] ^= 1;
    // In place: another file of that name would not be the log that is open.
    const UniqueFd fd = open_file(beside("-wal"), O_WRONLY);
    write_at(fd.get(), log, 0, beside("-wal"));
  }
  CHECK_THROWS_WITH_AS(capture(path), doctest::Contains("is damaged"), SourceError);
  CHECK(db->attempt("INSERT INTO t(v) VALUES(1)") == SQLITE_OK);  // nothing is held any more
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: frames that a checkpoint has copied already are not read again") {
  const auto db = create();
  Database reader{path};
  reader.run("BEGIN; SELECT count(*) FROM t");
  db->run("UPDATE t SET v = randomblob(400) WHERE id < 50");
  db->run("PRAGMA wal_checkpoint(PASSIVE)");  // as far as the reader's mark
  const Bytes expected = online_backup(path);
  {
    const UniqueFd fd = open_file(beside("-wal"), O_WRONLY);
    write_at(fd.get(), Bytes(100, 0), sqlite::frame_offset(1, 4096) + 1000, beside("-wal"));
  }
  CHECK(same_pages(capture(path).image, expected));
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: buffers of any size give the same bytes") {
  const auto db = create(8192);
  const Bytes expected = capture(path).image;
  for (const std::size_t size : {std::size_t{1000}, std::size_t{8192}, std::size_t{8193}, std::size_t{100'000}}) {
    CAPTURE(size);
    SqliteOpener opener{path, quick_options()};
    Entry entry;
    const auto content = opener.open(entry);
    CHECK(read_to_end(*content, size) == expected);
    CHECK(content->finish() == Content::Outcome::consistent);
  }
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: commits go on during the capture and are not in it") {
  const auto db = create();
  const Bytes expected = online_backup(path);
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  const auto content = opener.open(entry);
  Bytes image(4096);
  REQUIRE(content->read(image).length == image.size());
  for (int i = 0; i < 20; ++i) {
    db->run("UPDATE t SET v = randomblob(500) WHERE id % 20 = " + std::to_string(i));
    db->run("PRAGMA wal_checkpoint(PASSIVE)");
  }
  db->run("DELETE FROM t WHERE id > 5");
  db->run("VACUUM");
  db->run("PRAGMA wal_checkpoint(PASSIVE)");
  append(image, read_to_end(*content, 65536));
  CHECK(content->finish() == Content::Outcome::consistent);
  CHECK(same_pages(image, expected));
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: another process restarts the log during the capture") {
  const OtherProcess application{[&](const OtherProcess::Steps& step) {
    step.wait();
    const auto db = create();
    db->run("PRAGMA wal_checkpoint(FULL)");  // all frames copied: the log is free to be restarted
    step.done();
    step.wait();
    for (int i = 0; i < 5; ++i) db->run("UPDATE t SET v = randomblob(500)");
    db->run("PRAGMA wal_checkpoint(PASSIVE)");
    step.done();
    step.wait();
  }};
  application.go();
  const Bytes expected = online_backup(path);
  const Bytes log = read_file(beside("-wal"));
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  Bytes image(4096);
  {
    const auto content = opener.open(entry);
    REQUIRE(content->read(image).length == image.size());
    application.go();
    append(image, read_to_end(*content));
    CHECK(content->finish() == Content::Outcome::consistent);
  }
  CHECK(same_pages(image, expected));
  const Bytes restarted = read_file(beside("-wal"));
  CHECK_FALSE(std::equal(log.begin() + 16, log.begin() + 24, restarted.begin() + 16));  // the salts
  CHECK(capture(path).image != image);
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: the log cannot be restarted below an overlay, and can after the last page") {
  const auto db = create();
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  const auto content = opener.open(entry);
  CHECK(db->value("PRAGMA wal_checkpoint(TRUNCATE)") == "1");  // busy: we hold it
  read_to_end(*content);
  CHECK(db->value("PRAGMA wal_checkpoint(TRUNCATE)") == "0");  // the content still exists
  CHECK(fs::file_size(beside("-wal")) == 0);
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: abandoned half-way, everything is released") {
  const auto db = create();
  {
    SqliteOpener opener{path, quick_options()};
    Entry entry;
    const auto content = opener.open(entry);
    Bytes page(4096);
    content->read(page);
  }
  CHECK(db->value("PRAGMA wal_checkpoint(TRUNCATE)") == "0");
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: what this process opens and closes takes no lock from a capture") {
  const auto db = create();
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  const auto content = opener.open(entry);
  for (const char* suffix : {"", "-wal", "-shm"}) static_cast<void>(read_file(beside(suffix)));
  CHECK(is_sqlite_database_file(path));
  const Captured second = capture(path);  // at the same time
  CHECK(db->value("PRAGMA wal_checkpoint(TRUNCATE)") == "1");
  CHECK(read_to_end(*content) == second.image);
  CHECK(content->finish() == Content::Outcome::consistent);
  CHECK(db->value("PRAGMA wal_checkpoint(TRUNCATE)") == "0");
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: exclusive locking mode is busy, not a raw copy") {
  const auto db = create();
  db->run("PRAGMA locking_mode = EXCLUSIVE; INSERT INTO t(v) VALUES(1)");
  SqliteOptions impatient;
  impatient.busy_timeout = std::chrono::milliseconds{30};
  try {
    capture(path, impatient);
    FAIL("captured through an exclusive lock");
  } catch (const SourceError& error) {
    CHECK(error.kind() == ErrorKind::busy);
    CHECK(error.message().find("locked") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: pages around the lock bytes at 1 GiB") {
  constexpr std::uint32_t k_size = 65536;
  constexpr std::uint64_t k_pages = (1ULL << 30) / k_size + 3;
  { const auto db = create(k_size, 1); }
  {
    // Sparse, and no database that a query would like; every page counts for the capture all the same.
    const UniqueFd fd = open_file(path, O_RDWR);
    REQUIRE(::ftruncate(fd.get(), static_cast<off_t>(k_pages * k_size)) == 0);
    std::uint8_t count[4];
    put_be32(count, static_cast<std::uint32_t>(k_pages));
    write_at(fd.get(), count, 28, path);
    write_at(fd.get(), Bytes(3 * k_size, 0xab), (1ULL << 30) - k_size, path);
  }
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  const auto content = opener.open(entry);
  CHECK(content->expected_size() == k_pages * k_size);
  Bytes buffer(std::size_t{64} * k_size);
  Bytes tail;
  std::uint64_t at = 0;
  while (true) {
    const auto piece = content->read(buffer);
    if (piece.kind == Content::Piece::Kind::end) break;
    at += piece.length;
    if (at <= (1ULL << 30) - k_size) continue;
    // It is sparse: most of it comes as holes.
    const auto length = std::min<std::uint64_t>(piece.length, std::uint64_t{8} * k_size);
    if (piece.kind == Content::Piece::Kind::hole) append(tail, Bytes(static_cast<std::size_t>(length), 0));
    if (piece.kind == Content::Piece::Kind::data) {
      append(tail, ByteView{buffer}.first(static_cast<std::size_t>(piece.length)));
    }
  }
  REQUIRE(at == k_pages * k_size);
  REQUIRE(tail.size() >= std::size_t{4} * k_size);
  const ByteView last = ByteView{tail}.last(std::size_t{4} * k_size);
  const auto all = [&](std::size_t page, std::uint8_t value) {
    const ByteView bytes = last.subspan(page * k_size, k_size);
    return std::all_of(bytes.begin(), bytes.end(), [&](std::uint8_t b) { return b == value; });
  };
  CHECK(all(0, 0xab));
  CHECK(all(1, 0));  // the lock page carries nothing
  CHECK(all(2, 0xab));
  CHECK(all(3, 0));
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: a main file cut short is refused") {
  { const auto db = create(); }
  Database db{path};
  db.run("SELECT * FROM t; INSERT INTO t(v) VALUES(1); PRAGMA wal_checkpoint(TRUNCATE)");
  REQUIRE(::truncate(path.c_str(), 5 * 4096) == 0);
  CHECK_THROWS_AS(capture(path), SourceError);
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: hostile writers and every checkpoint mode, thirty times") {
  { const auto db = create(4096, 2000); }
  const auto writer = [&](int seed) {
    return [this, seed](const OtherProcess::Steps&) {
      Database db{path};
      db.run("PRAGMA busy_timeout = 20000; PRAGMA synchronous = OFF");
      const char* const modes[] = {"PASSIVE", "FULL", "RESTART", "TRUNCATE"};
      for (int i = 0;; ++i) {
        // The sum over all rows stays what it is in every committed state.
        db.attempt("BEGIN IMMEDIATE; UPDATE s SET n = n + 1 WHERE id = " + std::to_string((i * 7 + seed) % 50) +
                   "; UPDATE s SET n = n - 1 WHERE id = " + std::to_string((i * 11 + seed + 1) % 50) +
                   "; UPDATE t SET v = randomblob(500) WHERE id % 97 = " + std::to_string(i % 97) + "; COMMIT");
        if (sqlite3_get_autocommit(db.handle()) == 0) db.attempt("ROLLBACK");
        if (i % 13 == seed) {
          db.attempt(std::string{"PRAGMA wal_checkpoint("} + modes[(i / 13) % 4] + ")");
        }
      }
    };
  };
  {
    Database db{path};
    db.run("CREATE TABLE s(id INTEGER PRIMARY KEY, n)");
    db.run("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<49) INSERT INTO s SELECT i, 0 FROM n");
    db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  const OtherProcess first{writer(1)};
  const OtherProcess second{writer(2)};
  for (int i = 0; i < 30; ++i) {
    const Captured captured = capture(path);
    write_file_atomic(directory.path() / "image.db", captured.image);
    Database image{directory.path() / "image.db"};
    CHECK(image.value("SELECT sum(n) FROM s") == "0");
    CHECK(image.value("PRAGMA quick_check") == "ok");
  }
}

TEST_CASE_FIXTURE(WalFixture, "sqlite wal: a signal ends the capture and releases the database") {
  const auto db = create();
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  {
    const auto content = opener.open(entry);
    set_interrupted(SIGTERM);
    Bytes page(4096);
    CHECK_THROWS_AS(content->read(page), Error);
    set_interrupted(0);
  }
  CHECK(db->value("PRAGMA wal_checkpoint(TRUNCATE)") == "0");
}
