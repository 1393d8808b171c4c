#include "capture/sqlite/image_checker.hpp"
#include "unit/capture/sqlite_support.hpp"
#include "unit/support.hpp"
#include "util/file.hpp"
#include "util/interrupt.hpp"

#include <csignal>
#include <fcntl.h>
#include <string>

#include <doctest/doctest.h>
#include <sqlite3.h>

using namespace cairn;
using sqlite::Checked;
using sqlite::ImageChecker;

namespace {

struct Image {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path path = directory.path() / "image.db";
  std::uint64_t told = 0;

  explicit Image(const std::string& mode, int rows = 20000) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    const std::string sql =
        "PRAGMA journal_mode=" + mode +
        "; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL); CREATE INDEX i ON t(b); WITH RECURSIVE n(x) AS "
        "(SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x < " +
        std::to_string(rows) + ") INSERT INTO t SELECT x, hex(randomblob(100)) FROM n";
    REQUIRE(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_close(db) == SQLITE_OK);
  }
  Checked check(ImageChecker& checker) {
    const UniqueFd file = open_file(path, O_RDONLY);
    return checker.check(file.get(), path.native(), [this](std::uint64_t bytes) { told = bytes; });
  }
  void overwrite(std::uint64_t offset, std::size_t length, std::uint8_t byte) const {
    const UniqueFd file = open_file(path, O_WRONLY);
    write_at(file.get(), Bytes(length, byte), offset, path);
  }
  std::size_t names() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator{directory.path()}, fs::directory_iterator{}));
  }
};

}  // namespace

TEST_CASE("sqlite check: a sound database stays as it is, and gets nothing beside it") {
  for (const std::string mode : {"wal", "delete"}) {
    CAPTURE(mode);
    Image image{mode};
    const Bytes before = read_file(image.path);
    // Nobody but this user may reach it by its name.
    fs::permissions(image.path, static_cast<fs::perms>(0600));
    ImageChecker checker;
    const Checked checked = image.check(checker);
    CAPTURE(checked.message);
    CHECK(checked.verdict == Checked::Verdict::sound);
    CHECK(checked.schema_digest.size() == 64);
    CHECK(read_file(image.path) == before);
    CHECK(image.names() == 1);
    // All of it was read, and told.
    CHECK(image.told + (2 << 20) > before.size());
    // The same child once more.
    CHECK(image.check(checker).schema_digest == checked.schema_digest);
  }
}

TEST_CASE("sqlite check: a database that is broken") {
  Image image{"wal"};
  const std::uint64_t size = fs::file_size(image.path);
  ImageChecker checker;
  SUBCASE("a page that is no page") {
    image.overwrite(size / 8192 * 4096, 4096, 0xa5);
  }
  SUBCASE("pages of another time") {
    image.overwrite(4096, 4096, 0);
  }
  SUBCASE("an end that is missing") {
    fs::resize_file(image.path, size / 2 / 4096 * 4096);
  }
  const Checked checked = image.check(checker);
  CHECK(checked.verdict == Checked::Verdict::broken);
  CHECK_FALSE(checked.message.empty());
  CHECK(image.names() == 1);
  Image sound{"delete", 10};
  CHECK(sound.check(checker).verdict == Checked::Verdict::sound);
}

TEST_CASE("sqlite check: what this SQLite does not know is no damage") {
  Image image{"delete", 10};
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(image.path.c_str(), &db) == SQLITE_OK);
  SUBCASE("a schema of times to come") {
    REQUIRE(sqlite3_exec(db,
                         "PRAGMA writable_schema=ON; INSERT INTO sqlite_master VALUES "
                         "('table', 'n', 'n', 0, 'CREATE TABLE n(a) NOT YET INVENTED')",
                         nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  SUBCASE("a function of the application's own") {
    REQUIRE(sqlite3_create_function(
                db, "own", 1, SQLITE_UTF8, nullptr,
                [](sqlite3_context* c, int, sqlite3_value**) { sqlite3_result_int(c, 1); }, nullptr,
                nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "CREATE TABLE n(a CHECK (own(a) = 1)); INSERT INTO n VALUES (1)", nullptr, nullptr,
                         nullptr) == SQLITE_OK);
  }
  sqlite3_close(db);
  ImageChecker checker;
  const Checked checked = image.check(checker);
  CAPTURE(checked.message);
  CHECK(checked.verdict != Checked::Verdict::broken);
}

TEST_CASE("sqlite check: a signal ends it") {
  Image image{"delete", 10};
  ImageChecker checker;
  set_interrupted(SIGINT);
  bool thrown = false;
  try {
    image.check(checker);
  } catch (const Error& e) {
    thrown = e.kind() == ErrorKind::interrupted;
  }
  set_interrupted(0);
  CHECK(thrown);
  CHECK(image.check(checker).verdict == Checked::Verdict::sound);
}
