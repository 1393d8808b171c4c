#include "engine/restore/database_logs.hpp"

#include "unit/engine/restore/tree_fixture.hpp"

#include <string>

using namespace cairn;
using namespace cairn::test;

namespace {

const std::string k_database = std::string("SQLite format 3\0", 16) + std::string(1024, '\0');
const std::string k_log = std::string("\x37\x7f\x06\x82", 4) + "frames";

struct Logs : TreeFixture {
  Logs() {
    for (const char* name : {"staged", "target"}) fs::create_directory(directory.path() / name);
    staged = open_file(directory.path() / "staged", O_RDONLY | O_DIRECTORY);
    there = open_file(target, O_RDONLY | O_DIRECTORY);
  }
  UniqueFd staged;
  UniqueFd there;
};

}  // namespace

TEST_CASE_FIXTURE(Logs, "database logs: put back, they have their names again; told, they do not") {
  put(directory.path() / "staged/db", k_database);
  for (const char* suffix : {"-wal", "-shm", "-journal", "-other"}) put(target.native() + "/db" + suffix, suffix);
  const auto before = names_in(target);
  DatabaseLogs logs{there.get(), notes};
  logs.set_aside("db", staged.get(), "db");
  const auto aside = names_in(target);
  CHECK(aside.size() == 4);
  CHECK(std::count(aside.begin(), aside.end(), "db-other") == 1);
  CHECK(std::count(aside.begin(), aside.end(), "db-wal") == 0);
  CHECK(std::count(aside.begin(), aside.end(), "db-shm") == 0);
  CHECK(std::count(aside.begin(), aside.end(), "db-journal") == 0);
  logs.put_back();
  CHECK(names_in(target) == before);
  CHECK(notes.warnings.empty());
  DatabaseLogs again{there.get(), notes};
  again.set_aside("db", staged.get(), "db");
  again.tell();
  CHECK(notes.warnings.size() == 3);
  CHECK(notes.warnings[0].starts_with(
      "'db-wal' belonged to the database that was there before: it is now 'db-wal.cairn-"));
}

TEST_CASE_FIXTURE(Logs, "database logs: only beside a database, and not those that come with it") {
  put(directory.path() / "staged/text", "no database");
  put(directory.path() / "staged/encrypted", "no magic");
  put(directory.path() / "staged/both", k_database);
  put(directory.path() / "staged/both-wal", k_log);
  put(target / "text-wal", "mine");
  put(target / "text-shm", "mine");
  put(target / "encrypted-wal", k_log);
  put(target / "encrypted-shm", "index");
  put(target / "both-wal", k_log);
  put(target / "link-wal", k_log);
  fs::create_symlink("text", directory.path() / "staged/link");
  DatabaseLogs logs{there.get(), notes};
  for (const char* name : {"text", "encrypted", "both", "link", "none"}) logs.set_aside(name, staged.get(), name);
  for (const char* stays : {"text-wal", "text-shm", "both-wal", "link-wal"}) CHECK(fs::exists(target / stays));
  for (const char* goes : {"encrypted-wal", "encrypted-shm"}) CHECK_FALSE(fs::exists(target / goes));
  // Under another name in staging, as a single file is.
  put(target / "final-wal", k_log);
  logs.set_aside("final", staged.get(), "both");
  CHECK_FALSE(fs::exists(target / "final-wal"));
}
