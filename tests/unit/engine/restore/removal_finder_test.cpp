#include "engine/restore/removal_finder.hpp"

#include "unit/engine/restore/tree_fixture.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>

using namespace cairn;
using namespace cairn::test;

namespace {

using Entries = std::vector<std::pair<std::string, bool>>;  // path, whether it is a directory

// The names that go, "/" after directories, "!" after what is in the way.
std::vector<std::string> removals(const fs::path& target, const Entries& entries, const PathChoice& choice,
                                  const std::set<FileId>& own = {}) {
  const RestoreTarget to{target, Shape::tree, Overwrite::in_place};
  const PathSelection selection{choice};
  std::vector<std::string> out;
  RemovalFinder finder{to, selection, own, [&](const PlannedRemoval& removal) {
                         out.push_back(removal.path + (removal.directory ? "/" : "") + (removal.in_the_way ? "!" : ""));
                       }};
  finder.pass(".", true);
  for (const auto& [path, directory] : entries) finder.pass(path, directory);
  finder.finish();
  return out;
}

using Paths = std::vector<std::string>;

std::vector<std::string> removals(const fs::path& target, const Entries& entries, const Paths& paths = {}) {
  return removals(target, entries, PathChoice{paths, {}, {}});
}

}  // namespace

TEST_CASE_FIXTURE(TreeFixture,
                  "removal finder: what the list does not have goes, and what a directory holds before it") {
  for (const char* path : {"a", "b/c/d", "b/e", "f", "z"}) fs::create_directories(target / path);
  for (const char* path : {"a/1", "b/c/2", "b/c/d/3", "b/e/4", "b-", "f/5", "y"}) put(target / path, "x");
  fs::create_directory(target / (std::string{RestoreTarget::k_staging_prefix} + "left"));
  CHECK(removals(target, {{"b", true}, {"b/c", true}, {"b/c/2", false}, {"f", true}, {"f/5", false}, {"g", false}}) ==
        Paths{"a/1", "a/", "b/c/d/3", "b/c/d/", "b/e/4", "b/e/", "b-", "y", "z/"});
  CHECK(removals(target, {}).size() == 14);
}

TEST_CASE_FIXTURE(TreeFixture, "removal finder: what a directory holds goes where the snapshot has none there") {
  fs::create_directories(target / "a/b/c");
  put(target / "a/b/file", "x");
  put(target / "d", "x");
  CHECK(removals(target, {{"a", false}, {"d", true}, {"d/e", false}}) == Paths{"a/b/c/!", "a/b/file!", "a/b/!"});
}

TEST_CASE_FIXTURE(TreeFixture, "removal finder: links go and are not followed") {
  fs::create_directories(directory.path() / "outside/sub");
  put(directory.path() / "outside/kept", "x");
  fs::create_directories(target / "dir");
  fs::create_directory_symlink(directory.path() / "outside", target / "link");
  fs::create_directory_symlink(directory.path() / "outside", target / "dir/link");
  CHECK(removals(target, {{"dir", true}}) == Paths{"dir/link", "link"});
  // The snapshot has a directory there, which takes the place of the link.
  CHECK(removals(target, {{"dir", true}, {"dir/link", true}, {"dir/link/sub", true}, {"link", true}}).empty());
}

TEST_CASE_FIXTURE(TreeFixture, "removal finder: nothing goes but below what was asked for") {
  for (const char* path : {"a/b/extra", "a/extra", "extra"}) fs::create_directories(target / path);
  const Entries entries{{"a", true}, {"a/b", true}, {"a/c", true}};
  CHECK(removals(target, entries, {"a/b"}) == Paths{"a/b/extra/"});
  CHECK(removals(target, entries, {"a"}) == Paths{"a/b/extra/", "a/extra/"});
  CHECK(removals(target, entries, {"a/c"}).empty());
}

TEST_CASE_FIXTURE(TreeFixture, "removal finder: excluded names stay, and the directories that hold them") {
  fs::create_directories(target / "extra/below");
  fs::create_directories(target / "kept.d");
  for (const char* path : {"extra/gone", "extra/below/a.keep", "extra/below/gone", "kept.d/file", "b.keep", "c"}) {
    put(target / path, "x");
  }
  CHECK(removals(target, {}, PathChoice{{}, {}, {"*.keep", "kept.d/"}}) ==
        Paths{"c", "extra/below/gone", "extra/gone"});
  // A file of the snapshot cannot have the place of a directory with something excluded in it.
  CHECK_THROWS_AS(removals(target, {{"extra", false}}, PathChoice{{}, {}, {"*.keep"}}), Error);
}

TEST_CASE_FIXTURE(TreeFixture, "removal finder: nothing goes from a directory that the restore itself needs") {
  fs::create_directories(target / "a/store/packs");
  put(target / "a/store/packs/1", "x");
  struct stat status {};
  REQUIRE(::stat((target / "a/store").c_str(), &status) == 0);
  const std::set<FileId> own{id_of(status)};
  const auto find = [&](const Entries& entries, const PathChoice& choice = {}) {
    return removals(target, entries, choice, own);
  };
  // Not in the snapshot, in it, and in the way of a file.
  CHECK(kind_of([&] { find({}); }) == ErrorKind::usage);
  CHECK(kind_of([&] { find({{"a", true}, {"a/store", true}}); }) == ErrorKind::usage);
  CHECK(kind_of([&] { find({{"a", false}}); }) == ErrorKind::usage);
  CHECK(kind_of([&] { find({{"a", true}}, {{}, {}, {"packs"}}); }) == ErrorKind::usage);
  CHECK(find({}, {{}, {}, {"store"}}).empty());
  CHECK(find({{"a", true}, {"b", true}}, {{"b"}, {}, {}}).empty());
}

TEST_CASE_FIXTURE(TreeFixture, "removal finder: a tree that is deeper than a process may open files") {
  fs::create_directory(target);
  put(target / "kept", "x");
  UniqueFd at = open_file(target, O_RDONLY | O_DIRECTORY);
  constexpr int k_depth = 300;
  for (int i = 0; i < k_depth; ++i) {
    REQUIRE(::mkdirat(at.get(), "d", 0755) == 0);
    at = UniqueFd{::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  }
  Entries all;
  for (int i = 0; i < k_depth; ++i) all.emplace_back(i == 0 ? "d" : all.back().first + "/d", true);
  all.emplace_back("kept", false);
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  struct rlimit less = before;
  less.rlim_cur = 150;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &less) == 0);
  const auto as_extra = failure_of([&] { CHECK(removals(target, {{"kept", false}}).size() == k_depth); });
  const auto in_list = failure_of([&] { CHECK(removals(target, all).empty()); });
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK_FALSE(as_extra);
  CHECK_FALSE(in_list);
}

TEST_CASE_FIXTURE(TreeFixture,
                  "removal finder: what has the name of staging goes only from where the snapshot has it") {
  const std::string name = std::string{RestoreTarget::k_staging_prefix} + "mine";
  fs::create_directories(target / name);
  put(target / name / "extra", "x");
  CHECK(removals(target, {}).empty());
  CHECK(removals(target, {{name, true}}) == Paths{name + "/extra"});
}
