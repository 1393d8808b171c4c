#include "util/own_directory.hpp"

#include "unit/skipped.hpp"
#include "unit/support.hpp"
#include "util/beneath.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;
using test::failure_of;

namespace {

constexpr uid_t k_other = 12345;

struct Place {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path root = directory.path();
  UniqueFd fd = open_file(root, O_RDONLY | O_DIRECTORY);

  UniqueFd made(const std::string& name) const { return make_directory_at(fd.get(), name, 0755, root / name); }
};

void give_away(const fs::path& path) {
  REQUIRE(::lchown(path.c_str(), k_other, k_other) == 0);
}

}  // namespace

TEST_CASE_FIXTURE(Place, "own directory: made, or taken where it is there, and never through a link") {
  for (int i = 0; i < 2; ++i) {
    const UniqueFd fresh = made("new");
    CHECK(id_of(fresh.get()) == id_at(fd.get(), "new"));
  }
  fs::create_directory_symlink("new", root / "link");
  write_file_atomic(root / "file", as_bytes("x"));
  CHECK(failure_of([&] { made("link"); }) == ErrorKind::failed);
  CHECK(failure_of([&] { made("file"); }) == ErrorKind::failed);
  if (!test::is_root_for("a directory that is another's")) return;
  give_away(root / "new");
  CHECK(failure_of([&] { made("new"); }) == ErrorKind::failed);
  // The owner of what is above may do as he likes there anyway.
  give_away(root);
  CHECK_NOTHROW(made("new"));
}

TEST_CASE_FIXTURE(Place, "own directory: whose is it") {
  CHECK(is_own(fd.get(), ::geteuid()));
  CHECK_FALSE(is_own(fd.get(), k_other));
  CHECK(fs::is_empty(root));
}

TEST_CASE_FIXTURE(Place, "own directory: what others may have given the name is not what a killed run left") {
  const UniqueFd left = made("left");
  CHECK(may_be_left(fd.get(), left.get()));
  REQUIRE(::chmod(root.c_str(), 0777) == 0);
  CHECK_FALSE(may_be_left(fd.get(), left.get()));
  REQUIRE(::chmod(root.c_str(), 01777) == 0);
  CHECK(may_be_left(fd.get(), left.get()));
  REQUIRE(::chmod(root.c_str(), 0770) == 0);
  REQUIRE(make_private(left.get()) == 0);
  CHECK(may_be_left(fd.get(), left.get()));
  if (!test::is_root_for("what another user left")) return;
  give_away(root / "left");
  CHECK_FALSE(may_be_left(fd.get(), left.get()));
}

TEST_CASE_FIXTURE(Place, "own directory: removed with all it holds, and nothing that links lead to") {
  fs::create_directories(root / "tree/a/b/c");
  fs::create_directories(root / "kept/inner");
  write_file_atomic(root / "tree/a/b/file", as_bytes("x"));
  write_file_atomic(root / "kept/inner/file", as_bytes("x"));
  fs::create_directory_symlink(root / "kept", root / "tree/a/link");
  fs::create_directory_symlink(root / "kept", root / "tree/link");
  std::string deep = "tree/d";
  for (int i = 0; i < 300; ++i) {
    UniqueFd above = open_beneath(fd.get(), fs::path{deep}.parent_path().native(), O_PATH | O_DIRECTORY);
    REQUIRE(::mkdirat(above.get(), fs::path{deep}.filename().c_str(), 0700) == 0);
    deep += "/twenty-characters-xx";
  }
  const UniqueFd tree = open_beneath(fd.get(), "tree", O_RDONLY | O_DIRECTORY);
  CHECK(remove_directory_at(fd.get(), "tree", tree.get()) == 0);
  CHECK_FALSE(fs::exists(root / "tree"));
  CHECK(fs::exists(root / "kept/inner/file"));
}

TEST_CASE_FIXTURE(Place, "own directory: another one that has its name is left") {
  const UniqueFd mine = made("mine");
  write_file_atomic(root / "mine/file", as_bytes("x"));
  fs::rename(root / "mine", root / "away");
  fs::create_directories(root / "mine/of-another");
  CHECK(remove_directory_at(fd.get(), "mine", mine.get()) == ENOENT);
  CHECK(fs::exists(root / "mine/of-another"));
  CHECK(fs::is_empty(root / "away"));
}

TEST_CASE_FIXTURE(Place, "own directory: a new name replaces nothing") {
  write_file_atomic(root / "a", as_bytes("a"));
  write_file_atomic(root / "b", as_bytes("b"));
  CHECK(rename_new_at(fd.get(), "a", fd.get(), "b") == -1);
  CHECK(errno == EEXIST);
  CHECK(rename_new_at(fd.get(), "a", fd.get(), "c") == 0);
  CHECK(fs::exists(root / "c"));
}
