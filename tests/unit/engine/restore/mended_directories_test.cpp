#include "engine/restore/mended_directories.hpp"

#include "support/nobody.hpp"
#include "unit/engine/restore/tree_fixture.hpp"
#include "util/own_directory.hpp"

#include <string>

using namespace cairn;
using namespace cairn::test;

namespace {

struct Mending : TreeFixture {
  Mending() {
    fs::create_directories(target / "a/b");
    root = open_file(target, O_RDONLY | O_DIRECTORY);
    set("a/b", 0000);
    set("a", 0511);
  }
  ~Mending() {
    for (const char* path : {"a", "a/b"}) ::chmod((target / path).c_str(), 0755);
  }
  void set(const std::string& path, mode_t mode) const { REQUIRE(::chmod((target / path).c_str(), mode) == 0); }
  mode_t mode(const std::string& path) const {
    struct stat status {};
    REQUIRE(::stat((target / path).c_str(), &status) == 0);
    return status.st_mode & 07777;
  }
  FileId id(const std::string& path) const {
    const auto found = id_at(AT_FDCWD, (target / path).native());
    REQUIRE(found);
    return *found;
  }
  void mend(MendedDirectories& mended) const {
    mended.mend(root.get(), "a", id("a"), "a");
    mended.mend(root.get(), "a/b", id("a/b"), "b");
  }
  UniqueFd root;
};

}  // namespace

TEST_CASE_FIXTURE(Mending, "mended directories: open for the time, and put back whatever happens") {
  {
    MendedDirectories mended{notes};
    mend(mended);
    CHECK(mode("a") == 0711);
    CHECK(mode("a/b") == 0700);
  }
  CHECK(mode("a") == 0511);
  CHECK(mode("a/b") == 0000);
  CHECK(notes.warnings.empty());
}

TEST_CASE_FIXTURE(Mending, "mended directories: one that got its own mode keeps it") {
  MendedDirectories mended{notes};
  mend(mended);
  set("a", 0750);
  mended.settle(id("a"));
  mended.put_back();
  CHECK(mode("a") == 0750);
  CHECK(mode("a/b") == 0000);
}

TEST_CASE_FIXTURE(Mending, "mended directories: some stay open for longer") {
  MendedDirectories mended{notes};
  mend(mended);
  mended.put_back_but([](const std::string& path) { return path == "a"; });
  CHECK(mode("a") == 0711);
  CHECK(mode("a/b") == 0000);
  mended.put_back();
  CHECK(mode("a") == 0511);
}

TEST_CASE_FIXTURE(Mending, "mended directories: another that took the place is left alone, and told") {
  MendedDirectories mended{notes};
  mend(mended);
  fs::rename(target / "a/b", target / "away");
  fs::create_directory(target / "a/b");
  set("a/b", 0755);
  mended.put_back();
  CHECK(mode("a/b") == 0755);
  CHECK(notes.warnings.size() == 1);
  CHECK(kind_of([&] { mended.mend(root.get(), "a/b", id("away"), "b"); }) == ErrorKind::failed);
  CHECK(mode("a/b") == 0755);
  REQUIRE(::chmod((target / "away").c_str(), 0755) == 0);
}

TEST_CASE_FIXTURE(TreeFixture, "publisher: merging into directories that are read-only for their owner") {
  fs::permissions(directory.path(), static_cast<fs::perms>(0777));
  const bool passed = as_nobody([&] {
    fs::create_directories(target / "changed");
    fs::create_directories(target / "kept/in");
    put(target / "changed/file", "old");
    for (const char* path : {"changed", "kept/in", "kept", "."}) {
      if (::chmod((target / path).c_str(), 0555) != 0) return false;
    }
    // The target itself is opened before staging is made in it.
    if (::chmod(target.c_str(), 0755) != 0) return false;
    auto to = writer(Overwrite::yes);
    Entry root = make_entry("changed", EntryType::directory);
    root.mode = 0511;
    to.add(root);
    add_file(to, "changed/file", "new");
    add_file(to, "kept/in/file", "new");
    to.publish();
    const auto mode = [&](const char* path) {
      struct stat status {};
      return ::stat((target / path).c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
    };
    const bool right = get(target / "changed/file") == "new" && get(target / "kept/in/file") == "new" &&
                       mode("changed") == 0511 && mode("kept/in") == 0555 && mode("kept") == 0555;
    for (const char* path : {"kept", "kept/in", "changed"}) {
      if (::chmod((target / path).c_str(), 0755) != 0) return false;
    }
    fs::remove_all(target);
    return right;
  });
  CHECK(passed);
}
