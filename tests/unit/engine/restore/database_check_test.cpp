#include "engine/restore/database_check.hpp"

#include "unit/engine/restore/tree_fixture.hpp"

#include <sqlite3.h>

using namespace cairn;
using namespace cairn::test;

namespace {

struct Checking : TreeFixture {
  Checking() {
    const fs::path path = directory.path() / "made.db";
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db,
                         "CREATE TABLE t(a); WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x < "
                         "5000) INSERT INTO t SELECT hex(randomblob(20)) FROM n",
                         nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
    sound = get(path);
    broken = sound;
    broken.replace(8192, 8192, std::string(8192, '\x5a'));
  }
  void add(const std::string& path, const std::string& content, std::uint32_t mode = 0600) {
    Entry entry = make_entry(path, EntryType::file, content.size());
    entry.mode = mode;
    auto file = writer.begin_file(entry);
    file->write_at(0, as_bytes(content));
    writer.finish_file(std::move(file));
    ++restored.files;
    restored.bytes += content.size();
  }
  void check(const std::string& schema = {}) {
    DatabaseCheck{notes, schema}.run(writer, restored, [this](const std::string&) { return replaces; });
  }
  bool staged(const std::string& path) const { return fs::exists(staging.path() / path); }

  std::string sound;
  bool replaces = true;  // what is at the target
  std::string broken;
  RestoreTarget to{target, Shape::tree, Overwrite::no};
  Staging staging = Staging::create(to, Digest{});
  SkippedTally tally;
  TreeWriter writer{to, staging, tally};
  Restored restored;
};

}  // namespace

TEST_CASE_FIXTURE(Checking, "database check: what is broken and replaces nothing stays, and is named") {
  replaces = false;
  add("broken.db", broken);
  check();
  REQUIRE(restored.problems.size() == 1);
  CHECK(restored.problems[0].kind == RestoreProblem::Kind::unsound);
  CHECK(restored.problems[0].message.find("the database is broken: ") == 0);
  CHECK(restored.files == 1);
  CHECK(staged("broken.db"));
}

TEST_CASE_FIXTURE(Checking, "database check: what is broken is taken out, and named") {
  add("sub/broken.db", broken);
  add("sound.db", sound, 0000);
  add("text", "SQLite format 3 is what this text is about" + std::string(600, '.'));
  add("small", sound.substr(0, 100));
  check();
  REQUIRE(restored.problems.size() == 1);
  CHECK(restored.problems[0].path == "sub/broken.db");
  CHECK(restored.problems[0].kind == RestoreProblem::Kind::broken);
  CHECK(restored.problems[0].message.find("the database is broken: ") == 0);
  CHECK(restored.files == 3);
  CHECK_FALSE(staged("sub/broken.db"));
  CHECK(staged("sound.db"));
  CHECK(notes.warnings.empty());
  struct stat status {};
  REQUIRE(::stat((staging.path() / "sound.db").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0000);
  // Each once.
  check();
  CHECK(restored.problems.size() == 1);
}

TEST_CASE_FIXTURE(Checking, "database check: with a log of its own the file alone says nothing") {
  add("a.db", broken);
  add("a.db-wal", "frames");
  add("b.db", broken);
  add("b.db-wal", "");
  check();
  REQUIRE(restored.problems.size() == 1);
  CHECK(restored.problems[0].path == "b.db");
  CHECK(notes.warnings.size() == 1);
}

TEST_CASE_FIXTURE(Checking, "database check: the schema is the one that was captured") {
  add("a.db", sound);
  check(std::string(64, '0'));
  REQUIRE(restored.problems.size() == 1);
  CHECK(restored.problems[0].message.find("its schema is not the one that was captured") != std::string::npos);
}
