#include "util/pinned_path.hpp"

#include "unit/skipped.hpp"
#include "unit/support.hpp"
#include "util/own_directory.hpp"

#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;
using test::failure_of;
using test::message_of;

namespace {

constexpr uid_t k_other = 12345;
using Names = std::vector<std::string>;

struct Place {
  TemporaryDirectory directory{fs::canonical(fs::temp_directory_path())};
  fs::path root = directory.path();

  Place() {
    fs::create_directories(root / "a/b");
    write_file_atomic(root / "a/file", as_bytes("x"));
  }
};

bool leads_to(const PinnedPath& pinned, const fs::path& directory) {
  struct stat there {};
  return ::stat(directory.c_str(), &there) == 0 &&
         id_of(pinned.directory.get()) == FileId{there.st_dev, there.st_ino} && pinned.directory_path == directory;
}

}  // namespace

TEST_CASE_FIXTURE(Place, "pinned path: what is there, what is not, and what is no directory") {
  const auto whole = pin_path(root / "a/b");
  CHECK(leads_to(whole, root / "a/b"));
  CHECK(whole.names.empty());
  CHECK(whole.path == root / "a/b");
  CHECK(leads_to(pin_path((root / "a/b").native() + "/"), root / "a/b"));

  const auto missing = pin_path(root / "a/./new/sub");
  CHECK(leads_to(missing, root / "a"));
  CHECK(missing.names == Names{"new", "sub"});
  CHECK(missing.there == 0);
  CHECK(missing.path == root / "a/new/sub");

  const auto file = pin_path(root / "a/b/../file");
  CHECK(leads_to(file, root / "a"));
  CHECK(file.names == Names{"file"});
  CHECK(S_ISREG(file.there));
  CHECK(pin_path(root / "a/new/../b/x/../y").path == root / "a/b/y");
  for (const char* below : {"a/file/x", "a/file/", "a/file/.."}) {
    CHECK(message_of([&] { pin_path(root / below); }).ends_with(": Not a directory"));
  }
  CHECK(leads_to(pin_path("/"), "/"));
  CHECK(leads_to(pin_path("/../.."), "/"));
}

TEST_CASE_FIXTURE(Place, "pinned path: links are followed, and those to nothing are told") {
  fs::create_directory_symlink("a", root / "relative");
  fs::create_directory_symlink(root / "relative/b", root / "absolute");
  fs::create_symlink("a/file", root / "file");
  fs::create_symlink("a/none", root / "nothing");
  fs::create_symlink("self", root / "self");
  CHECK(leads_to(pin_path(root / "absolute"), root / "a/b"));
  CHECK(leads_to(pin_path(root / "absolute/../b/.."), root / "a"));
  const auto file = pin_path(root / "file");
  CHECK(file.path == root / "a/file");
  CHECK(S_ISREG(file.there));
  CHECK_FALSE(pin_path(root / "relative/new").leads_to_nothing);
  CHECK(pin_path(root / "nothing").leads_to_nothing);
  CHECK(pin_path(root / "nothing/new").leads_to_nothing);
  CHECK(failure_of([&] { pin_path(root / "self"); }) == ErrorKind::failed);
}

TEST_CASE_FIXTURE(Place, "pinned path: renamed or replaced, it still leads where it led") {
  const auto pinned = pin_path(root / "a/new");
  fs::rename(root / "a", root / "elsewhere");
  fs::create_directory_symlink(root / "elsewhere/b", root / "a");
  CHECK(leads_to(pinned, root / "elsewhere") == false);  // its name is the old one
  struct stat there {};
  REQUIRE(::stat((root / "elsewhere").c_str(), &there) == 0);
  CHECK(id_of(pinned.directory.get()) == FileId{there.st_dev, there.st_ino});
}

TEST_CASE_FIXTURE(Place, "pinned path: root follows another user's link to what is his alone") {
  if (!test::is_root_for("another user's links")) return;
  fs::create_directory(root / "home");
  fs::create_directory(root / "home/his");
  REQUIRE(::chown((root / "home").c_str(), k_other, k_other) == 0);
  REQUIRE(::chown((root / "home/his").c_str(), k_other, k_other) == 0);
  const auto link = [&](const char* name, const fs::path& target) {
    fs::create_symlink(target, root / "home" / name);
    REQUIRE(::lchown((root / "home" / name).c_str(), k_other, k_other) == 0);
    return root / "home" / name;
  };
  CHECK(leads_to(pin_path(link("own", "his")), root / "home/his"));
  for (const char* below : {"", "new", "b"}) {
    const fs::path away = link(("away" + std::string{below}).c_str(), root / "a");
    CHECK(message_of([&] { pin_path(away / below); }).find("which is another's") != std::string::npos);
  }
  CHECK(failure_of([&] { pin_path(link("file", root / "a/file")); }) == ErrorKind::failed);
  CHECK(failure_of([&] { pin_path(link("above", "..") / "a"); }) == ErrorKind::failed);
  CHECK(failure_of([&] { pin_path(link("through", "own/../../a")); }) == ErrorKind::failed);
  // A link of root's leads wherever root wants.
  fs::create_directory_symlink(root / "a", root / "home/of-root");
  CHECK(leads_to(pin_path(root / "home/of-root"), root / "a"));
}

TEST_CASE_FIXTURE(Place,
                  "pinned path: in a directory of everybody's only one's own links and its owner's are followed") {
  if (!test::is_root_for("links in a directory of everybody's")) return;
  REQUIRE(::chmod((root / "a").c_str(), 01777) == 0);
  REQUIRE(::chown((root / "a/b").c_str(), k_other, k_other) == 0);
  fs::create_directory_symlink("b", root / "a/link");
  CHECK(leads_to(pin_path(root / "a/link"), root / "a/b"));
  REQUIRE(::lchown((root / "a/link").c_str(), k_other, k_other) == 0);
  CHECK(failure_of([&] { pin_path(root / "a/link"); }) == ErrorKind::failed);
}
