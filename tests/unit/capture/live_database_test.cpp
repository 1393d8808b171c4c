#include "capture/sqlite/live_database.hpp"

#include "unit/capture/sqlite_support.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/own_directory.hpp"

#include <csignal>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::test;
using namespace std::chrono_literals;

namespace {

struct Live {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path path = directory.path() / "app.db";
  fs::path image = directory.path() / "image.db";
  UniqueFd opened = open_file(directory.path(), O_RDONLY | O_DIRECTORY);

  static void make(const fs::path& where, const std::string& before, int rows) {
    fs::remove(where);
    Database db{where};
    db.run(before);
    make_table(db, rows);
  }
  sqlite::LiveWritten write(
      std::chrono::milliseconds patience = 10s,
      const std::function<void(std::uint64_t)>& told = [](std::uint64_t) {}) const {
    const UniqueFd from = open_file(image, O_RDONLY);
    return sqlite::write_live_database({opened.get(), "app.db", id_at(opened.get(), "app.db").value(), path.native()},
                                       from.get(), patience, told);
  }
  std::optional<ErrorKind> refusal(std::chrono::milliseconds patience = 10s) const {
    try {
      write(patience);
    } catch (const Error& e) {
      CHECK(e.message().find("app.db") != std::string::npos);
      return e.kind();
    }
    return std::nullopt;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Live, "live database: its user goes on with what the image has") {
  make(image, "", 3000);
  for (const char* mode : {"wal", "delete", "truncate", "persist"}) {
    CAPTURE(mode);
    for (const int rows : {5, 9000}) {
      make(path, std::string{"PRAGMA journal_mode = "} + mode, rows);
      Database user{path};
      // The file's header keeps only the first of these.
      user.run(std::string{"PRAGMA journal_mode = "} + mode);
      CHECK(user.value("SELECT count(*) FROM t") == std::to_string(rows));
      std::uint64_t bytes = 0;
      const auto done = write(10s, [&](std::uint64_t more) { bytes += more; });
      CHECK(bytes == fs::file_size(image));
      CHECK(user.value("SELECT count(*) FROM t") == "3000");
      CHECK(user.value("PRAGMA integrity_check") == "ok");
      CHECK(user.value("PRAGMA journal_mode") == mode);
      CHECK((done.log_bytes != 0) == (std::string{mode} == "wal"));
      CHECK(done.log_copied);
      CHECK(done.blocked > 0ns);
      user.run("INSERT INTO t(v) VALUES (1)");
    }
  }
}

TEST_CASE_FIXTURE(Live, "live database: locked for too long, it is busy and as it was") {
  make(image, "", 30);
  for (const char* mode : {"wal", "delete"}) {
    CAPTURE(mode);
    make(path, std::string{"PRAGMA journal_mode = "} + mode, 5);
    Database user{path};
    user.run("BEGIN IMMEDIATE; INSERT INTO t(v) VALUES (1)");
    CHECK(refusal(20ms) == ErrorKind::busy);
    user.run("COMMIT");
    CHECK(user.value("SELECT count(*) FROM t") == "6");
    CHECK_FALSE(refusal());
    CHECK(user.value("SELECT count(*) FROM t") == "30");
  }
}

TEST_CASE_FIXTURE(Live, "live database: a signal has it taken back, and leaves nothing for others to recover") {
  make(image, "", 120'000);
  for (const char* mode : {"wal", "delete"}) {
    CAPTURE(mode);
    make(path, std::string{"PRAGMA journal_mode = "} + mode, 5);
    Database user{path};
    CHECK(user.value("SELECT count(*) FROM t") == "5");
    int told = 0;
    std::optional<ErrorKind> kind;
    try {
      write(10s, [&](std::uint64_t) {
        if (++told == 1) set_interrupted(SIGINT);
      });
    } catch (const Error& e) {
      kind = e.kind();
    }
    set_interrupted(0);
    CHECK(kind == ErrorKind::interrupted);
    CHECK_FALSE(fs::exists(path.native() + "-journal"));
    CHECK(user.attempt("BEGIN IMMEDIATE; COMMIT") == SQLITE_OK);
    CHECK(user.value("SELECT count(*) FROM t") == "5");
  }
}

TEST_CASE_FIXTURE(Live, "live database: what its users could not read is refused") {
  SUBCASE("another text encoding") {
    make(image, "PRAGMA encoding = 'UTF-16le'", 30);
    for (const char* mode : {"wal", "delete"}) {
      make(path, std::string{"PRAGMA journal_mode = "} + mode, 5);
      Database user{path};
      CHECK(refusal() == ErrorKind::usage);
      CHECK(user.value("SELECT count(*) FROM t") == "5");
    }
  }
  SUBCASE("another page size under a log") {
    make(image, "PRAGMA page_size = 1024", 30);
    make(path, "PRAGMA journal_mode = wal", 5);
    Database user{path};
    CHECK(refusal() == ErrorKind::failed);
    CHECK(user.value("SELECT count(*) FROM t") == "5");
  }
  SUBCASE("a fork's log") {
    make(image, "", 30);
    make(path, "", 5);
    write_file_atomic(path.native() + "-wal2", as_bytes("x"));
    CHECK(refusal() == ErrorKind::failed);
  }
}

TEST_CASE_FIXTURE(Live, "live database: of nothing yet, and of one that ends too early") {
  make(image, "", 300);
  fs::remove(path);
  Database user{path};
  SUBCASE("nothing") {
    user.run("PRAGMA user_version");
    CHECK(fs::file_size(path) == 0);
  }
  SUBCASE("too early") {
    make_table(user, 200);
    fs::resize_file(path, 20'480);
  }
  CHECK_FALSE(refusal());
  CHECK(user.value("SELECT count(*) FROM t") == "300");
  CHECK(user.value("PRAGMA integrity_check") == "ok");
}

TEST_CASE_FIXTURE(Live, "live database: what lies beside it under the names of its logs is not followed") {
  make(image, "", 300);
  make(path, "", 5);
  const fs::path other = directory.path() / "other";
  write_file_atomic(other, as_bytes("mine"));
  SUBCASE("a symbolic link") {
    fs::create_symlink(other, path.native() + "-journal");
  }
  SUBCASE("a hard link") {
    fs::create_hard_link(other, path.native() + "-journal");
  }
  CHECK(refusal() == ErrorKind::failed);
  CHECK(read_file(other) == Bytes{'m', 'i', 'n', 'e'});
  fs::remove(path.native() + "-journal");
  CHECK(Database{path}.value("SELECT count(*) FROM t") == "5");
}
