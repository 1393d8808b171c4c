// Databases inside a directory source.
#include "capture/directory_source.hpp"
#include "sqlite_support.hpp"
#include "unit/support.hpp"

#include <algorithm>
#include <map>
#include <unistd.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

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

TEST_CASE("sqlite in a directory: what SQLite cannot make sense of is stored as the bytes it is, and told") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const auto make = [&](const std::string& name, const char* mode) {
    const fs::path path = directory.path() / name;
    const fs::path made = directory.path() / "made";
    {
      Database db{made};
      db.run(fmt::format("PRAGMA journal_mode = {}", mode));
      make_table(db, 200);
    }
    fs::rename(made, path);
    return path;
  };
  std::map<std::string, std::string> expected;  // what is told of each
  for (const char* mode : {"delete", "wal"}) {
    const fs::path cut = make(fmt::format("cut-{}", mode), mode);
    fs::resize_file(cut, fs::file_size(cut) - 10000);
    expected[cut.filename()] = "malformed";
  }
  // No room for the name of a log.
  expected[make(std::string(255, 'w'), "wal").filename()] = "too long";
  make(std::string(255, 'd'), "delete");
  // The magic alone is no database.
  Bytes fixture(5000, 0x5a);
  const std::string magic{"SQLite format 3\0", 16};
  std::copy(magic.begin(), magic.end(), fixture.begin());
  write_file_atomic(directory.path() / "fixture", fixture);

  DirectoryOptions options;
  options.path = directory.path();
  options.sqlite = quick_options();
  DirectorySource source{options};
  std::size_t files = 0;
  while (auto item = source.next()) {
    if (!item->content) continue;
    ++files;
    const std::string name = item->entry.path;
    CAPTURE(name);
    const auto content = item->content->open(item->entry);
    CHECK(read_to_end(*content) == read_file(directory.path() / name));
    CHECK(content->finish() == Content::Outcome::consistent);
    const auto told = expected.find(name);
    if (told == expected.end()) {
      CHECK(content->problem().empty());
    } else {
      CHECK(content->problem().find(told->second) != std::string::npos);
      CHECK(content->problem().ends_with("; its bytes are stored as they are"));
    }
  }
  CHECK(files == 5);
  CHECK(source.problems().empty());
}

TEST_CASE("sqlite in a directory: never the plain bytes of a database that is busy, or has a log") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  DirectoryOptions options;
  options.path = directory.path();
  options.sqlite = quick_options();
  const auto open = [&](const std::string& name) {
    DirectorySource source{options};
    while (auto item = source.next()) {
      if (item->entry.path == name) return failure_of([&] { item->content->open(item->entry); });
    }
    return std::optional<ErrorKind>{};
  };
  // Not of this process: it opens and closes every file, which would end the lock.
  const OtherProcess application{[&](const OtherProcess::Steps& step) {
    step.wait();
    Database db{directory.path() / "busy"};
    make_table(db, 200);
    db.run("BEGIN EXCLUSIVE");
    step.done();
    step.wait();
  }};
  application.go();
  options.sqlite.busy_timeout = std::chrono::milliseconds{50};
  CHECK(open("busy") == ErrorKind::busy);
  const fs::path cut = directory.path() / "cut";
  { make_table(*std::make_unique<Database>(cut), 200); }
  fs::resize_file(cut, fs::file_size(cut) - 10000);
  write_file_atomic(directory.path() / "cut-wal", Bytes(100, 1));
  CHECK(open("cut") == ErrorKind::failed);
}

TEST_CASE("sqlite in a directory: a journal beside what is no database is told, in the tree and alone") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "encrypted";
  write_file_atomic(path, Bytes(8192, 0x5a));
  const fs::path journal = directory.path() / "encrypted-journal";
  const auto problems = [](const fs::path& of) {
    DirectoryOptions options;
    options.path = of;
    DirectorySource source{options};
    while (source.next()) continue;
    std::string all;
    for (const auto& problem : source.problems()) all += problem.message;
    return all;
  };
  write_file_atomic(journal, Bytes(512, 0));  // not in use: PRAGMA journal_mode = persist
  CHECK(problems(directory.path()).empty());
  Bytes hot(512, 0);
  std::copy_n("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8, hot.begin());
  write_file_atomic(journal, hot);
  CHECK(problems(directory.path()).find("has a -journal beside it") != std::string::npos);
  CHECK(problems(path).find("stored without it") != std::string::npos);
  try {
    capture(path);
    FAIL("captured");
  } catch (const SourceError& error) {
    CHECK(error.message().find(path.native()) != std::string::npos);
  }
}
