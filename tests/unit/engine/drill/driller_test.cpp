#include "engine/drill/driller.hpp"

#include "capture/directory_source.hpp"
#include "capture/source_spec.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "store/broken_store.hpp"
#include "support/store_fixture.hpp"
#include "unit/support.hpp"

#include <algorithm>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sqlite3.h>

using namespace cairn;
using Result = DrillCheck::Result;
using test::failure_of;

namespace {

struct DrillFixture : test::StoreFixture {
  fs::path scratch = directory.path() / "scratch";
  DrillRequest request;

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((source / name).parent_path());
    write_file_atomic(source / name, as_bytes(text));
  }
  void run_sql(const std::string& name, const std::string& sql) const {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open((source / name).c_str(), &db) == SQLITE_OK);
    char* message = nullptr;
    const int result = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message);
    CAPTURE(std::string{message == nullptr ? "" : message});
    REQUIRE(result == SQLITE_OK);
    sqlite3_close(db);
  }
  void make_database() const {
    run_sql("app.db",
            "CREATE TABLE o(id INTEGER PRIMARY KEY); CREATE TABLE u(id INTEGER PRIMARY KEY, o REFERENCES o(id), e TEXT "
            "UNIQUE); INSERT INTO o VALUES(1); WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x < "
            "1000) INSERT INTO u SELECT x, 1, 'e' || x FROM n");
  }
  Manifest take() {
    Context context = this->context();
    DirectoryOptions options;
    options.path = source;
    const auto from = open_source(SourceSpec{options});
    SnapshotRequest wanted;
    wanted.series = "state";
    take_snapshot(context, *from, wanted);
    return repository->manifests().load(repository->manifests().list("state").back());
  }
  DrillRecord run(const Manifest& manifest) {
    fs::remove_all(scratch);
    fs::create_directory(scratch);
    request.scratch = scratch;
    Context context = this->context();
    return drill(context, manifest, request);
  }
  static DrillCheck check(const DrillRecord& record, const std::string& name) {
    const auto found = std::find_if(record.checks.begin(), record.checks.end(),
                                    [&](const DrillCheck& each) { return each.name == name; });
    return found == record.checks.end() ? DrillCheck{"none", Result::skipped, {}} : *found;
  }
};

}  // namespace

TEST_CASE("drill: a sound tree with a database passes, and its record tells what was there") {
  DrillFixture fixture;
  fixture.make_database();
  fixture.write("sub/file", "hello");
  const DrillRecord record = fixture.run(fixture.take());
  CAPTURE(told_text(record, Result::failed));
  CHECK(record.outcome == DrillOutcome::passed);
  REQUIRE(record.inventories.size() == 2);
  CHECK(record.inventories[0].counts.at("files") == 2);
  const auto& database = record.inventories[1];
  CHECK(database.path == "app.db");
  CHECK(database.counts == std::map<std::string, std::uint64_t>{{"o", 1}, {"u", 1000}});
  CHECK(std::count(database.elements.begin(), database.elements.end(), "column u.e TEXT") == 1);
  CHECK(std::count(database.elements.begin(), database.elements.end(), "foreign key u.o -> o") == 1);
  std::vector<std::string> phases;
  for (const auto& phase : record.phases) phases.push_back(phase.name);
  CHECK(phases == std::vector<std::string>{"list", "plan", "fetch", "verify", "write", "checks"});
  CHECK(fs::exists(drill_directory(fixture.scratch) / "sub/file"));
  // It can be written and read.
  CHECK(DrillRecord::parse(record.text(), "d").inventories == record.inventories);
}

TEST_CASE("drill: faults of a database that every pack of it is sound with") {
  struct Case {
    const char* check;
    const char* sql;
  };
  const Case cases[] = {
      {"rows of app.db", "DELETE FROM u WHERE id > 400"},
      {"rows of app.db", "DELETE FROM o; UPDATE u SET o = NULL"},
      {"schema of app.db", "DROP TABLE u"},
      {"schema of app.db", "ALTER TABLE u RENAME COLUMN e TO f"},
      {"keys of app.db", "PRAGMA foreign_keys=OFF; UPDATE u SET o = 7 WHERE id = 3"},
      // The index does not have the row any more.
      {"integrity of app.db",
       "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = 'CREATE TABLE u(id INTEGER PRIMARY KEY, o, e TEXT)' "
       "WHERE name = 'u'; DELETE FROM sqlite_master WHERE name LIKE 'sqlite_autoindex%'; PRAGMA writable_schema=RESET; "
       "CREATE TABLE x(a); INSERT INTO x VALUES(1)"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.check);
    CAPTURE(each.sql);
    DrillFixture fixture;
    fixture.make_database();
    const DrillRecord before = fixture.run(fixture.take());
    REQUIRE(before.outcome == DrillOutcome::passed);
    fixture.run_sql("app.db", each.sql);
    fixture.request.before = &before;
    const DrillRecord record = fixture.run(fixture.take());
    CHECK(record.outcome == DrillOutcome::failed);
    CHECK(fixture.check(record, each.check).result == Result::failed);
  }
}

TEST_CASE("drill: programs of the user run where the files are, and are held to what they are to print") {
  DrillFixture fixture;
  fixture.write("file", "hello\n");
  const Manifest manifest = fixture.take();
  ::setenv("AWS_SECRET_ACCESS_KEY", "planted", 1);
  fixture.request.environment = {{"CAIRN_SERIES", "state"}};
  fixture.request.commands = {
      {{"cat", "file"}, "hello", 0},
      {{"sh", "-c", "echo $CAIRN_SERIES ${AWS_SECRET_ACCESS_KEY-none}; exit 3"}, "state none", 3},
      {{"cat", "file"}, "other", 0},
      {{"false"}, std::nullopt, 0},
      {{"cairn-no-such-program"}, std::nullopt, 0},
      {{"sleep", "60"}, std::nullopt, 0},
  };
  fixture.request.timeout = std::chrono::milliseconds{500};
  const DrillRecord record = fixture.run(manifest);
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  CHECK(fixture.check(record, "command 1 (cat)").result == Result::passed);
  CHECK(fixture.check(record, "command 2 (sh)").message == "");
  CHECK(fixture.check(record, "command 2 (sh)").result == Result::passed);
  CHECK(fixture.check(record, "command 3 (cat)").message == "it printed 'hello', and 'other' was expected");
  CHECK(fixture.check(record, "command 4 (false)").message == "it exited with status 1");
  CHECK(fixture.check(record, "command 5 (cairn-no-such-program)").result == Result::failed);
  CHECK(fixture.check(record, "command 6 (sleep)").message == "it took longer than 500 ms and was ended");
}

TEST_CASE("drill: a program of the user has no network where the system can take it away") {
  DrillFixture fixture;
  fixture.write("file", "hello\n");
  const Manifest manifest = fixture.take();
  fixture.request.commands = {{{"sh", "-c", "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '"}, "lo", 0}};
  const DrillRecord record = fixture.run(manifest);
  const bool told = !fixture.reporter.warnings.empty();
  CHECK((told || record.outcome == DrillOutcome::passed));
}

TEST_CASE("drill: a restore that takes longer than its limit fails, however sound it is") {
  DrillFixture fixture;
  fixture.write("file", "hello\n");
  fixture.request.max_recovery = Nanoseconds{1};
  const DrillRecord record = fixture.run(fixture.take());
  CHECK(record.outcome == DrillOutcome::failed);
  CHECK(fixture.check(record, "recovery time").result == Result::failed);
}

TEST_CASE("drill: damage to any pack fails the drill, and nothing is written through the store that rehearses it") {
  DrillFixture fixture;
  fixture.make_database();
  const Manifest manifest = fixture.take();
  for (const auto fault : {RehearsedDamage::Fault::lost, RehearsedDamage::Fault::flipped}) {
    for (const auto& pack : manifest.packs) {
      auto damage = std::make_shared<RehearsedDamage>();
      BrokenStore broken{std::make_unique<LocalStore>(fixture.store_root, CreateRoot::no), damage};
      RepositoryOptions options;
      Repository repository{broken, fixture.reporter, options};
      damage->plant(layout::pack_key(pack.name), fault);
      Context context{repository,       fixture.pool, fixture.io,           fixture.put,
                      fixture.reporter, "host",       [] { return Time{}; }};
      fs::remove_all(fixture.scratch);
      fs::create_directory(fixture.scratch);
      fixture.request.scratch = fixture.scratch;
      const DrillRecord record = drill(context, manifest, fixture.request);
      CHECK(record.outcome == DrillOutcome::failed);
      CHECK(fixture.check(record, "restore").result == Result::failed);
      CHECK(fixture.check(record, "restore").message.find(pack.name.hex()) != std::string::npos);
      CHECK(failure_of([&] { broken.put("drills/x", ObjectBody::from_text("x")); }) == ErrorKind::failed);
      CHECK(failure_of([&] { broken.remove(std::vector<std::string>{layout::pack_key(pack.name)}); }) ==
            ErrorKind::failed);
    }
  }
}
