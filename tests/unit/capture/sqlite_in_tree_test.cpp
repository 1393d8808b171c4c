// Databases inside a directory source.
#include "capture/directory_source.hpp"
#include "sqlite_support.hpp"

#include <map>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::test;

TEST_CASE("sqlite in a directory: live databases are captured as such, whatever their names") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  Database live{directory.path() / "live.db"};
  live.run("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  make_table(live, 200);
  fs::create_directory(directory.path() / "sub");
  Database quiet{directory.path() / "sub" / "quiet"};
  make_table(quiet, 50);
  fs::create_hard_link(directory.path() / "live.db", directory.path() / "other-name");
  write_file_atomic(directory.path() / "plain", as_bytes("no database"));

  DirectoryOptions options;
  options.path = directory.path();
  options.sqlite = quick_options();
  DirectorySource source{options};
  std::map<std::string, std::pair<Bytes, std::string>> contents;
  while (auto item = source.next()) {
    if (item->entry.path == "other-name") CHECK(item->entry.type == EntryType::hard_link);
    if (!item->content) continue;
    const auto content = item->content->open(item->entry);
    Bytes bytes = read_to_end(*content);
    CHECK(content->finish() == Content::Outcome::consistent);
    CHECK(item->entry.size == bytes.size());
    contents[item->entry.path] = {std::move(bytes), content->facts()};
  }
  CHECK(source.problems().empty());
  REQUIRE(contents.size() == 3);
  CHECK(same_pages(contents["live.db"].first, online_backup(directory.path() / "live.db")));
  CHECK(contents["live.db"].second.find("\"mode\":\"wal\"") != std::string::npos);
  CHECK(contents["sub/quiet"].first == read_file(directory.path() / "sub" / "quiet"));
  CHECK(contents["sub/quiet"].second.find("\"mode\":\"backup\"") != std::string::npos);
  CHECK(contents["plain"].second.empty());
}

TEST_CASE("sqlite in a directory: the walk goes on while a database is held open, and does not loosen its locks") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "a.db";
  const OtherProcess application{[&](const OtherProcess::Steps& step) {
    step.wait();
    Database db{path};
    db.run("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
    make_table(db, 200);
    step.done();
    step.wait();
    // Busy while the capture holds its read mark.
    if (db.value("PRAGMA wal_checkpoint(TRUNCATE)") != "1") ::_exit(1);
    step.done();
    step.wait();
  }};
  application.go();
  fs::create_hard_link(path, directory.path() / "b.db");
  write_file_atomic(directory.path() / "b.db-journal", {});
  DirectoryOptions options;
  options.path = directory.path();
  options.sqlite = quick_options();
  DirectorySource source{options};
  std::unique_ptr<Content> content;
  while (auto item = source.next()) {
    if (item->entry.path == "a.db") content = item->content->open(item->entry);
  }
  REQUIRE(content);
  application.go();
  read_to_end(*content);
  CHECK(content->finish() == Content::Outcome::consistent);
}
