#include "capture/source_spec.hpp"

#include "unit/support.hpp"
#include "util/file.hpp"

#include <fstream>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;

namespace {

struct Paths {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path file = directory.path() / "file";
  fs::path database = directory.path() / "database";

  Paths() {
    std::ofstream{file} << "text";
    // The first page of an empty database: the header, and a schema page without cells.
    std::string page(4096, '\0');
    page.replace(0, 16, std::string{"SQLite format 3\0", 16});
    page[16] = 0x10;  // page size 4096
    page[18] = page[19] = 1;
    page[21] = 64;
    page[22] = 32;
    page[23] = 32;
    page[31] = 1;
    page[100] = 13;
    page[105] = 0x10;
    std::ofstream{database, std::ios::binary} << page;
  }
};

FoundPath found(const fs::path& path) {
  FoundPath out;
  out.options.path = path;
  return out;
}

}  // namespace

TEST_CASE("source spec: a path is captured as what is found there") {
  const Paths t;
  const auto tree = open_source(found(t.directory.path()));
  CHECK(tree->kind() == SourceKind::directory);
  CHECK(tree->shape() == SourceShape::tree);
  CHECK(tree->access() == SourceAccess::reopenable);
  const auto file = open_source(found(t.file));
  CHECK(file->kind() == SourceKind::directory);
  CHECK(file->shape() == SourceShape::file);
  const auto database = open_source(found(t.database));
  CHECK(database->kind() == SourceKind::sqlite);
  CHECK(database->shape() == SourceShape::file);
  CHECK(database->access() == SourceAccess::reopenable);
  CHECK(test::failure_of([&] { open_source(found(t.directory.path() / "none")); }) == ErrorKind::failed);
}

TEST_CASE("source spec: what was said to be a directory, a database or a command is that") {
  const Paths t;
  // One file of a directory source stays what it is said to be.
  CHECK(open_source(DirectoryOptions{.path = t.database, .exclude = {}, .include = {}})->kind() ==
        SourceKind::directory);
  CHECK(open_source(DatabaseOptions{t.file, {}})->kind() == SourceKind::sqlite);
  CommandOptions command;
  command.stages = {{"true"}};
  command.file_name = "out";
  const auto source = open_source(command);
  CHECK(source->kind() == SourceKind::command);
  CHECK(source->shape() == SourceShape::file);
  CHECK(source->access() == SourceAccess::sequential);
}

TEST_CASE("source spec: options are where the source has them") {
  SourceSpec path = found("/srv");
  SourceSpec directory = DirectoryOptions{};
  SourceSpec database = DatabaseOptions{};
  SourceSpec command = CommandOptions{};
  CHECK(tree_options(path) == &std::get<FoundPath>(path).options);
  CHECK(tree_options(directory) == &std::get<DirectoryOptions>(directory));
  CHECK(tree_options(database) == nullptr);
  CHECK(tree_options(command) == nullptr);
  CHECK(sqlite_options(path) == &std::get<FoundPath>(path).options.sqlite);
  CHECK(sqlite_options(directory) == &std::get<DirectoryOptions>(directory).sqlite);
  CHECK(sqlite_options(database) == &std::get<DatabaseOptions>(database).sqlite);
  CHECK(sqlite_options(command) == nullptr);
}

TEST_CASE("source kind: each has one name, and no other name is one") {
  for (const auto kind : {SourceKind::directory, SourceKind::sqlite, SourceKind::command}) {
    CHECK(parse_source_kind(kind_name(kind)) == kind);
  }
  CHECK(kind_name(SourceKind::directory) == "directory");
  CHECK(kind_name(SourceKind::sqlite) == "sqlite");
  CHECK(kind_name(SourceKind::command) == "command");
  CHECK_FALSE(parse_source_kind("Directory"));
  CHECK_FALSE(parse_source_kind(""));
}
