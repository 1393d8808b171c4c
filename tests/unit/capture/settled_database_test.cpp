#include "capture/sqlite/settled_database.hpp"

#include "unit/capture/sqlite_support.hpp"
#include "util/own_directory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::test;
using sqlite::SettledDatabase;
using Cause = SettledDatabase::Refusal::Cause;

namespace {

struct Settling {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path live = directory.path() / "live.db";
  fs::path path = directory.path() / "app.db";
  UniqueFd opened = open_file(directory.path(), O_RDONLY | O_DIRECTORY);

  SettledDatabase::Attempt settle() const {
    return SettledDatabase::settle({opened.get(), "app.db", id_at(opened.get(), "app.db").value(), path.native()});
  }
  // As a crash leaves it.
  void copy(std::initializer_list<const char*> suffixes) const {
    for (const char* suffix : suffixes) fs::copy_file(live.native() + suffix, path.native() + suffix);
  }
  // Of the main file alone.
  std::string rows() const {
    const fs::path alone = directory.path() / "alone.db";
    fs::copy_file(path, alone, fs::copy_options::overwrite_existing);
    CHECK(check_integrity(read_file(alone)) == "ok");
    return Database{alone}.value("SELECT count(*) FROM t");
  }
};

}  // namespace

TEST_CASE_FIXTURE(Settling, "settled database: the main file alone is what was committed") {
  SUBCASE("in a log, with its index or without") {
    for (const bool with_index : {true, false}) {
      for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path.native() + suffix);
      fs::remove(live);
      Database db{live};
      db.run("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
      make_table(db, 30);
      copy({"", "-wal"});
      if (with_index) copy({"-shm"});
      CHECK(read_file(path).size() < 10'000);
      const auto attempt = settle();
      REQUIRE(attempt.settled);
      CHECK(rows() == "30");
      // The log is not touched: until it is removed, it says the same.
      CHECK(read_file(path.native() + "-wal") == read_file(live.native() + "-wal"));
    }
  }
  SUBCASE("before a transaction that was not") {
    Database db{live};
    make_table(db, 200);
    db.run("PRAGMA cache_size = 2; BEGIN; UPDATE t SET v = zeroblob(700)");
    copy({"", "-journal"});
    const Bytes half = read_file(path);
    const auto attempt = settle();
    REQUIRE(attempt.settled);
    CHECK(read_file(path) != half);
    CHECK(rows() == "200");
    CHECK(Database{path.parent_path() / "alone.db"}.value("SELECT count(*) FROM t WHERE v = zeroblob(700)") == "0");
  }
}

TEST_CASE_FIXTURE(Settling, "settled database: nobody else gets in, until it is let go") {
  for (const char* mode : {"WAL", "DELETE"}) {
    CAPTURE(mode);
    fs::remove(path);
    {
      Database db{path};
      db.run(std::string{"PRAGMA journal_mode = "} + mode);
      make_table(db, 3);
    }
    auto attempt = settle();
    REQUIRE(attempt.settled);
    CHECK(attempt.settled->holder() > 0);
    {
      Database db{path};
      CHECK(db.attempt("SELECT * FROM t") == SQLITE_BUSY);
      CHECK(db.attempt("INSERT INTO t(v) VALUES (1)") == SQLITE_BUSY);
      attempt.settled.reset();
      CHECK(db.attempt("INSERT INTO t(v) VALUES (1)") == SQLITE_OK);
    }
    CHECK(rows() == "4");
  }
}

TEST_CASE_FIXTURE(Settling, "settled database: refused while somebody is in it") {
  for (const char* mode : {"WAL", "DELETE"}) {
    CAPTURE(mode);
    fs::remove(path);
    const OtherProcess other{[&](const OtherProcess::Steps& steps) {
      steps.wait();
      Database db{path};
      db.run(std::string{"PRAGMA journal_mode = "} + mode);
      make_table(db, 3);
      db.run("BEGIN; SELECT * FROM t");
      steps.done();
      steps.wait();
    }};
    other.go();
    const auto attempt = settle();
    CHECK_FALSE(attempt.settled);
    CHECK(attempt.refusal.cause == Cause::busy);
  }
}

TEST_CASE_FIXTURE(Settling, "settled database: what SQLite does not understand is left alone") {
  {
    Database db{path};
    make_table(db, 3);
  }
  Bytes bytes = read_file(path);
  SUBCASE("another format") {
    bytes[18] = bytes[19] = 3;
    write_file_atomic(path, bytes);
  }
  SUBCASE("a fork's log") {
    write_file_atomic(path.native() + "-wal2", as_bytes("x"));
  }
  SUBCASE("a broken header") {
    bytes[16] = 7;
    write_file_atomic(path, bytes);
  }
  const auto attempt = settle();
  CHECK_FALSE(attempt.settled);
  CHECK(attempt.refusal.cause == Cause::impossible);
  CHECK(attempt.refusal.message.find("app.db") != std::string::npos);
  CHECK(read_file(path) == bytes);
}

TEST_CASE_FIXTURE(Settling, "settled database: another file that has the name by now is not touched") {
  {
    Database db{path};
    make_table(db, 3);
  }
  const auto attempt = SettledDatabase::settle({opened.get(), "app.db", FileId{1, 1}, path.native()});
  CHECK_FALSE(attempt.settled);
  CHECK(attempt.refusal.cause == Cause::impossible);
}
