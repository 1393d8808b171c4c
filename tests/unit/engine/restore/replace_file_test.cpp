#include "engine/restore/replace_file.hpp"

#include "support/nobody.hpp"
#include "unit/engine/restore/tree_fixture.hpp"
#include "util/own_directory.hpp"

#include <csignal>

#include <sqlite3.h>
#include <sys/wait.h>

using namespace cairn;
using namespace cairn::test;

namespace {

struct Replacing : TreeFixture {
  Replacing() {
    for (const fs::path& made : {staged, target}) fs::create_directory(made);
    from = open_file(staged, O_RDONLY | O_DIRECTORY);
    to = open_file(target, O_RDONLY | O_DIRECTORY);
  }
  void replace(const std::string& keep_as = {}) {
    replace_file({from.get(), "content", to.get(), "app", (target / "app").native(), keep_as}, notes);
  }

  // Runs SQL on a database; with a journal mode, the last row's first column.
  static std::string sql(const fs::path& path, const std::string& text) {
    sqlite3* db = nullptr;
    std::string value;
    const auto take = [](void* result_to, int, char** columns, char**) {
      *static_cast<std::string*>(result_to) = columns[0] != nullptr ? columns[0] : "";
      return 0;
    };
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    const int result = sqlite3_exec(db, text.c_str(), take, &value, nullptr);
    sqlite3_close(db);
    REQUIRE(result == SQLITE_OK);
    return value;
  }
  void make_image() const { sql(staged / "content", "CREATE TABLE t(a); INSERT INTO t VALUES ('new')"); }
  // One whose last commits are in its log alone, as after a crash.
  void make_old(const std::string& mode) const {
    const fs::path live = directory.path() / "live";
    fs::remove(live);
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(live.c_str(), &db) == SQLITE_OK);
    const std::string text =
        "PRAGMA journal_mode=" + mode + "; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a); INSERT INTO t VALUES('old')";
    REQUIRE(sqlite3_exec(db, text.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    for (const char* suffix : {"", "-wal", "-shm"}) {
      if (fs::exists(live.native() + suffix)) fs::copy_file(live.native() + suffix, (target / "app").native() + suffix);
    }
    sqlite3_close(db);
  }

  fs::path staged = directory.path() / "staged";
  UniqueFd from;
  UniqueFd to;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(Replacing, "replace file: whatever is no directory, and where nothing is") {
  put(staged / "content", "new");
  SUBCASE("nothing") {}
  SUBCASE("a file") {
    put(target / "app", "old");
  }
  SUBCASE("a link, which is not followed") {
    put(directory.path() / "outside", "mine");
    fs::create_symlink(directory.path() / "outside", target / "app");
  }
  replace();
  CHECK(get(target / "app") == "new");
  CHECK(fs::is_regular_file(fs::symlink_status(target / "app")));
  CHECK(names_in(target) == Names{"app"});
  CHECK(names_in(staged).empty());
  if (fs::exists(directory.path() / "outside")) CHECK(get(directory.path() / "outside") == "mine");
}

TEST_CASE_FIXTURE(Replacing, "replace file: not a directory") {
  put(staged / "content", "new");
  fs::create_directory(target / "app");
  CHECK(kind_of([&] { replace(); }) == ErrorKind::failed);
  CHECK(fs::is_directory(target / "app"));
  CHECK(get(staged / "content") == "new");
}

TEST_CASE_FIXTURE(Replacing, "replace file: the old one is kept under another name") {
  put(staged / "content", "new");
  put(target / "app", "old");
  const auto old = id_at(to.get(), "app");
  SUBCASE("that is free") {
    replace("app.before");
    CHECK(id_at(to.get(), "app.before") == old);
    CHECK(get(target / "app") == "new");
  }
  SUBCASE("that an interrupted run has given it already") {
    fs::create_hard_link(target / "app", target / "app.before");
    replace("app.before");
    CHECK(id_at(to.get(), "app.before") == old);
    CHECK(get(target / "app") == "new");
  }
  SUBCASE("that is somebody else's") {
    put(target / "app.before", "mine");
    CHECK(kind_of([&] { replace("app.before"); }) == ErrorKind::failed);
    CHECK(get(target / "app.before") == "mine");
    CHECK(get(target / "app") == "old");
    CHECK(get(staged / "content") == "new");
  }
}

TEST_CASE_FIXTURE(Replacing, "replace file: where a rule of the system forbids the link, by an exchange") {
  if (::geteuid() != 0) return;
  // fs.protected_hardlinks: nobody links a file of another user that he may not write.
  if (get("/proc/sys/fs/protected_hardlinks").front() != '1') return;
  put(staged / "content", "new");
  put(target / "app", "old");
  for (const fs::path& open : {directory.path(), staged, target}) ::chmod(open.c_str(), 0777);
  const auto old = id_at(to.get(), "app");
  CHECK(as_nobody([&] {
    replace("app.before");
    return true;
  }));
  CHECK(id_at(to.get(), "app.before") == old);
  CHECK(get(target / "app") == "new");
  CHECK(names_in(staged).empty());
}

TEST_CASE_FIXTURE(Replacing, "replace file: a database and its logs, in whichever mode") {
  for (const std::string mode : {"wal", "delete"}) {
    for (const bool keep : {false, true}) {
      CAPTURE(mode);
      CAPTURE(keep);
      for (const std::string& name : names_in(target)) fs::remove(target / name);
      make_image();
      make_old(mode);
      replace(keep ? "app.before" : "");
      CHECK(names_in(target) == (keep ? Names{"app", "app.before"} : Names{"app"}));
      CHECK(names_in(staged).empty());
      CHECK(sql(target / "app", "SELECT a FROM t") == "new");
      if (keep) CHECK(sql(target / "app.before", "SELECT a FROM t") == "old");
      if (keep) CHECK(sql(target / "app.before", "PRAGMA journal_mode") == mode);
      CHECK(notes.warnings.empty());
    }
  }
}

TEST_CASE_FIXTURE(Replacing, "replace file: beside a database, what is no log of it is set aside") {
  make_image();
  make_old("delete");
  put(target / "app-wal", "somebody's notes");
  replace();
  CHECK(sql(target / "app", "SELECT a FROM t") == "new");
  const auto names = names_in(target);
  REQUIRE(names.size() == 2);
  CHECK(names[1].starts_with("app-wal.cairn-aside-"));
  CHECK(get(target / names[1]) == "somebody's notes");
  CHECK(notes.warnings.size() == 1);
}

TEST_CASE_FIXTURE(Replacing,
                  "replace file: a database that SQLite cannot read goes with its log, one after the other") {
  make_image();
  make_old("wal");
  put(target / "app-wal2", "the second log of a fork");
  const std::string log = get(target / "app-wal");
  SUBCASE("set aside") {
    replace();
    CHECK(sql(target / "app", "SELECT a FROM t") == "new");
    REQUIRE_FALSE(notes.warnings.empty());
    CHECK(notes.warnings[0].find("only one after the other") != std::string::npos);
  }
  SUBCASE("kept, with its log") {
    replace("app.before");
    CHECK(get(target / "app.before-wal") == log);
    CHECK(fs::exists(target / "app.before"));
    CHECK(sql(target / "app", "SELECT a FROM t") == "new");
  }
}

TEST_CASE_FIXTURE(Replacing, "replace file: a database that somebody has open stays, and its log") {
  make_image();
  make_old("wal");
  int ready[2];
  REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    sqlite3* db = nullptr;
    const bool ok = sqlite3_open((target / "app").c_str(), &db) == SQLITE_OK &&
                    sqlite3_exec(db, "SELECT * FROM t", nullptr, nullptr, nullptr) == SQLITE_OK;
    if (::write(ready[1], ok ? "y" : "n", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  REQUIRE(byte == 'y');
  CHECK(kind_of([&] { replace(); }) == ErrorKind::busy);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (const int end : ready) ::close(end);
  CHECK(sql(target / "app", "SELECT a FROM t") == "old");
  CHECK(fs::exists(staged / "content"));
}
