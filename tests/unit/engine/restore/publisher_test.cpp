#include "engine/restore/publisher.hpp"

#include "engine/restore/database_in_use.hpp"
#include "support/nobody.hpp"
#include "unit/engine/restore/tree_fixture.hpp"

#include <algorithm>

#include <sqlite3.h>
#include <sys/wait.h>

using namespace cairn;
using namespace cairn::test;

namespace {

// Another process with a database open, until it is destroyed.
class OtherProcess {
 public:
  OtherProcess(const fs::path& database, const std::string& sql) {
    int ready[2];
    int stop[2];
    REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(stop, O_CLOEXEC) == 0);
    m_pid = ::fork();
    REQUIRE(m_pid >= 0);
    if (m_pid == 0) {
      ::close(stop[1]);
      sqlite3* connection = nullptr;
      const bool ok = sqlite3_open(database.c_str(), &connection) == SQLITE_OK &&
                      sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
      char byte = ok ? 'y' : 'n';
      if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
      while (::read(stop[0], &byte, 1) < 0) continue;
      ::_exit(0);
    }
    ::close(ready[1]);
    ::close(stop[0]);
    m_stop = UniqueFd{stop[1]};
    const UniqueFd in{ready[0]};
    char byte = 0;
    REQUIRE(::read(in.get(), &byte, 1) == 1);
    REQUIRE(byte == 'y');
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() {
    m_stop.reset();
    ::waitpid(m_pid, nullptr, 0);
  }

 private:
  pid_t m_pid = -1;
  UniqueFd m_stop;
};

// A closed database; journal mode "wal" or "delete".
void make_database(const fs::path& path, const std::string& mode) {
  sqlite3* connection = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &connection) == SQLITE_OK);
  const std::string sql = "PRAGMA journal_mode=" + mode + "; CREATE TABLE t(a); INSERT INTO t VALUES (1)";
  REQUIRE(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(connection);
}

}  // namespace

TEST_CASE_FIXTURE(TreeFixture, "publisher: merging leaves alone what the snapshot does not have") {
  fs::create_directories(target / "both/mine");
  put(target / "both/kept", "kept");
  put(target / "both/replaced", "old");
  fs::create_symlink("/etc", target / "both/link");
  auto to = writer(Overwrite::yes);
  add_directory(to, ".");
  add_directory(to, "both");
  add_file(to, "both/link", "a file where a link was");
  add_file(to, "both/replaced", "new");
  add_directory(to, "new");
  add_file(to, "new/file", "x");
  to.publish();
  CHECK(names_in(target) == std::vector<std::string>{"both", "new"});
  CHECK(names_in(target / "both") == std::vector<std::string>{"kept", "link", "mine", "replaced"});
  CHECK(get(target / "both/kept") == "kept");
  CHECK(get(target / "both/replaced") == "new");
  CHECK(fs::is_regular_file(fs::symlink_status(target / "both/link")));
  CHECK(format_time(Time{}) == "1970-01-01T00:00:00.000000000Z");
  struct stat status {};
  REQUIRE(::stat(target.c_str(), &status) == 0);
  CHECK(status.st_mtim.tv_sec == 0);
}

TEST_CASE_FIXTURE(TreeFixture, "publisher: conflicts at the target are refused before anything is touched") {
  fs::create_directories(target / "dir");
  fs::create_directories(directory.path() / "outside");
  put(target / "file", "old");
  fs::create_symlink(directory.path() / "outside", target / "link");
  auto to = writer(Overwrite::yes);
  CHECK(kind_of([&] { add_file(to, "dir", "x"); }) == ErrorKind::usage);
  CHECK(kind_of([&] { add_directory(to, "file"); }) == ErrorKind::usage);
  CHECK(kind_of([&] { add_file(to, "file/below", "x"); }) == ErrorKind::usage);
  // A link to a directory is no directory: following it would lead out of the target.
  CHECK(kind_of([&] { add_directory(to, "link"); }) == ErrorKind::usage);
  CHECK(kind_of([&] { add_file(to, "link/below", "x"); }) == ErrorKind::usage);
  CHECK(names_in(directory.path() / "outside").empty());

  SUBCASE("also what came there after the entry was accepted") {
    add_file(to, "a", "new");
    add_file(to, "sub/b", "new");
    put(target / "a", "old");
    put(target / "sub", "in the way");
    CHECK(kind_of([&] { to.publish(); }) == ErrorKind::usage);
    CHECK(get(target / "a") == "old");
  }
}

TEST_CASE_FIXTURE(TreeFixture, "publisher: a target that comes into being meanwhile is not replaced") {
  auto to = writer();
  add_file(to, "file", "x");
  fs::create_directory(target);
  put(target / "mine", "");
  CHECK(kind_of([&] { to.publish(); }) == ErrorKind::usage);
  CHECK(names_in(target) == std::vector<std::string>{"mine"});
  fs::remove_all(target);
  auto single = writer(Overwrite::no, Shape::single_file);
  add_file(single, "file", "x");
  put(target, "mine");
  CHECK(kind_of([&] { single.publish(); }) == ErrorKind::usage);
  CHECK(get(target) == "mine");
}

TEST_CASE_FIXTURE(TreeFixture, "publisher: one file") {
  put(directory.path() / "neighbour", "mine");
  target = directory.path() / std::string(255, 't');
  SUBCASE("new") {
    auto to = writer(Overwrite::no, Shape::single_file);
    add_file(to, "name-in-the-snapshot", "content");
    to.publish();
    CHECK(get(target) == "content");
    CHECK(names_in(directory.path()).size() == 2);
  }
  SUBCASE("in place of another") {
    put(target, "old");
    auto to = writer(Overwrite::yes, Shape::single_file);
    add_file(to, "name-in-the-snapshot", "content");
    to.publish();
    CHECK(get(target) == "content");
    CHECK(names_in(directory.path()).size() == 2);
  }
  SUBCASE("in new directories") {
    target = directory.path() / "a/b/c";
    auto to = writer(Overwrite::no, Shape::single_file);
    add_file(to, "x", "content");
    to.publish();
    CHECK(get(target) == "content");
  }
  SUBCASE("is one file, no more and no less") {
    target = directory.path() / "other";
    auto to = writer(Overwrite::no, Shape::single_file);
    CHECK(kind_of([&] { to.publish(); }) == ErrorKind::damaged);
    CHECK(kind_of([&] { add_directory(to, "."); }) == ErrorKind::damaged);
    add_file(to, "one", "");
    CHECK(kind_of([&] { add_file(to, "two", ""); }) == ErrorKind::damaged);
  }
}

TEST_CASE_FIXTURE(TreeFixture, "publisher: old logs beside a restored database are set aside") {
  make_database(directory.path() / "image", "delete");
  const std::string image = get(directory.path() / "image");
  const std::string log = std::string("\x37\x7f\x06\x82", 4) + "frames of a life before";
  const auto asides = [&](const fs::path& where) {
    auto names = names_in(where);
    std::erase_if(names, [](const std::string& name) { return name.find(".cairn-aside-") == std::string::npos; });
    return names.size();
  };
  SUBCASE("in a tree, whether the database is still there or not") {
    fs::create_directory(target);
    put(target / "app.db-wal", log);
    put(target / "app.db-shm", "index");
    put(target / "app.db-journal", "");
    put(target / "notes", "text");
    put(target / "notes-journal", "of mine");
    put(target / "encrypted-wal", log);
    put(target / "kept-wal", "old");
    auto to = writer(Overwrite::yes);
    add_file(to, "app.db", image);
    add_file(to, "notes", "new text");
    add_file(to, "encrypted", "no magic");
    add_file(to, "kept", "no magic either");
    add_file(to, "kept-wal", "new");
    to.publish();
    CHECK(asides(target) == 4);
    CHECK_FALSE(fs::exists(target / "app.db-wal"));
    CHECK(fs::exists(target / "notes-journal"));
    CHECK_FALSE(fs::exists(target / "encrypted-wal"));
    CHECK(get(target / "kept-wal") == "new");
    CHECK(notes.warnings.size() == 4);
  }
  SUBCASE("beside one file, with names that leave no room") {
    target = directory.path() / std::string(251, 'd');
    put(target.native() + "-wal", log);
    auto to = writer(Overwrite::no, Shape::single_file);
    add_file(to, "app.db", image);
    to.publish();
    CHECK(asides(directory.path()) == 1);
    CHECK_FALSE(fs::exists(target.native() + "-wal"));
    CHECK(get(target) == image);
  }
}

TEST_CASE_FIXTURE(TreeFixture, "publisher: where a database cannot be replaced, its logs keep their names") {
  if (::geteuid() != 0) return;
  // In a directory like /tmp everybody may rename what is his, and nobody what is another's.
  fs::create_directory(target);
  ::chmod(target.c_str(), 01777);
  ::chmod(directory.path().c_str(), 0755);
  const fs::path database = target / "app.db";
  make_database(database, "delete");
  const std::string image = get(database);
  for (const char* suffix : {"-wal", "-shm"}) put(database.native() + suffix, suffix);
  const auto give_to_nobody = [&](const char* suffix) {
    REQUIRE(::chown((database.native() + suffix).c_str(), 65534, 65534) == 0);
  };
  const auto publish = [&](const fs::path& to_path, Shape shape, std::string_view cause) {
    return as_nobody([&] {
      StagedRestore to{RestoreTarget{to_path, shape, Overwrite::yes}, notes};
      try {
        add_file(to, "app.db", image);
        to.publish();
      } catch (const Error& e) {
        // It may not be written either, so main file and log would have gone one after the other.
        return e.message().find(cause) != std::string::npos;
      }
      return false;
    });
  };
  SUBCASE("it is another's") {
    give_to_nobody("-wal");
    give_to_nobody("-shm");
    CHECK(publish(target, Shape::tree, "sticky bit"));
    CHECK(publish(database, Shape::single_file, "sticky bit"));
  }
  SUBCASE("one of its logs is") {
    give_to_nobody("");
    give_to_nobody("-wal");
    CHECK(publish(target, Shape::tree, "Operation not permitted"));
    CHECK(publish(database, Shape::single_file, "Operation not permitted"));
  }
  CHECK(names_in(target) == std::vector<std::string>{"app.db", "app.db-shm", "app.db-wal"});
  CHECK(get(database.native() + "-wal") == "-wal");
  CHECK(get(database.native() + "-shm") == "-shm");
}

TEST_CASE_FIXTURE(TreeFixture, "publisher: a database that is open is not replaced") {
  fs::create_directory(target);
  for (const std::string mode : {"wal", "delete"}) {
    CAPTURE(mode);
    const fs::path database = target / (mode + ".db");
    make_database(database, mode);
    const UniqueFd where = open_file(target, O_RDONLY | O_DIRECTORY);
    CHECK_FALSE(find_database_user(where.get(), mode + ".db"));
    auto to = writer(Overwrite::yes);
    add_file(to, mode + ".db", "accepted while it was closed");
    {
      // In rollback mode an idle connection holds no lock; only /proc shows it.
      const OtherProcess other{database, "SELECT * FROM t"};
      CHECK(find_database_user(where.get(), mode + ".db"));
      auto second = writer(Overwrite::yes);
      CHECK(kind_of([&] { add_file(second, mode + ".db", "x"); }) == ErrorKind::busy);
      CHECK(kind_of([&] { to.publish(); }) == ErrorKind::busy);
      const RestoreTarget single{database, Shape::single_file, Overwrite::yes};
      CHECK(kind_of([&] { single.check_entry(make_entry("any", EntryType::file)); }) == ErrorKind::busy);
    }
    CHECK(is_sqlite_file(where.get(), mode + ".db"));
    auto third = writer(Overwrite::yes);
    add_file(third, mode + ".db", "x");
    third.publish();
    CHECK(get(database) == "x");
  }
  make_database(target / "locked.db", "delete");
  const OtherProcess other{target / "locked.db", "BEGIN IMMEDIATE"};
  const UniqueFd where = open_file(target, O_RDONLY | O_DIRECTORY);
  CHECK(find_database_user(where.get(), "locked.db"));
}

// What other users can do to names while root restores, at the points where a test can; tests/acceptance/swaps.py does
// it before every single system call.
TEST_CASE_FIXTURE(TreeFixture, "publisher: a link that comes to be where a parent is to be made is not followed") {
  fs::create_directory(directory.path() / "outside");
  target = directory.path() / "new/target";
  Shape shape = Shape::tree;
  SUBCASE("of a tree") {}
  SUBCASE("of a single file") {
    shape = Shape::single_file;
  }
  auto to = writer(Overwrite::no, shape);
  add_file(to, "file", "x");
  fs::create_directory_symlink("outside", directory.path() / "new");
  CHECK(kind_of([&] { to.publish(); }) == ErrorKind::failed);
  CHECK(fs::is_empty(directory.path() / "outside"));
}

TEST_CASE_FIXTURE(TreeFixture, "publisher: the target's directory stays the one that was named") {
  fs::create_directories(directory.path() / "place");
  fs::create_directory(directory.path() / "outside");
  target = directory.path() / "place/target";
  for (const Shape shape : {Shape::single_file, Shape::tree}) {
    auto to = writer(Overwrite::no, shape);
    add_file(to, "file", "x");
    fs::rename(directory.path() / "place", directory.path() / "moved");
    fs::create_directory_symlink("outside", directory.path() / "place");
    to.publish();
    CHECK(fs::is_empty(directory.path() / "outside"));
    CHECK(names_in(directory.path() / "moved") == std::vector<std::string>{"target"});
    fs::remove(directory.path() / "place");
    fs::remove_all(directory.path() / "moved/target");
    fs::rename(directory.path() / "moved", directory.path() / "place");
  }
}

TEST_CASE_FIXTURE(TreeFixture, "publisher: root gives no directory of its own to who may have given it the name") {
  if (::geteuid() != 0) return;
  constexpr uid_t k_other = 12345;
  fs::create_directories(target / "sub");
  put(target / "sub/secret", "root's");
  REQUIRE(::chmod((target / "sub").c_str(), 0700) == 0);
  REQUIRE(::chown(target.c_str(), k_other, k_other) == 0);
  auto entry = make_entry("sub", EntryType::directory);
  entry.uid = entry.gid = k_other;
  SUBCASE("refused when it is met") {
    auto to = writer(Overwrite::yes);
    CHECK(kind_of([&] { to.add(entry); }) == ErrorKind::usage);
  }
  SUBCASE("refused before anything is moved, where it came meanwhile") {
    fs::rename(target / "sub", target / "away");
    auto to = writer(Overwrite::yes);
    to.add(entry);
    add_file(to, "file", "x");
    fs::rename(target / "away", target / "sub");
    CHECK(kind_of([&] { to.publish(); }) == ErrorKind::usage);
    CHECK_FALSE(fs::exists(target / "file"));
  }
  SUBCASE("as in the snapshot it is root's") {
    auto to = writer(Overwrite::yes);
    add_directory(to, "sub");
    add_file(to, "sub/file", "x");
    to.publish();
    CHECK(get(target / "sub/file") == "x");
  }
  struct stat status {};
  REQUIRE(::stat((target / "sub").c_str(), &status) == 0);
  CHECK(status.st_uid == 0);
  CHECK(get(target / "sub/secret") == "root's");
}
