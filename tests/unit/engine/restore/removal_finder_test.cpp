#include "engine/restore/removal_finder.hpp"

#include "unit/engine/restore/tree_fixture.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace cairn;
using namespace cairn::test;

namespace {

using Entries = std::vector<std::pair<std::string, bool>>;  // path, whether it is a directory

// The names that go, "/" after directories, "!" after what is in the way.
std::vector<std::string> removals(const fs::path& target, const Entries& entries, const PathChoice& choice) {
  const RestoreTarget to{target, Shape::tree, Overwrite::in_place};
  const PathSelection selection{choice};
  std::vector<std::string> out;
  RemovalFinder finder{to, selection, [&](const PlannedRemoval& removal) {
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
