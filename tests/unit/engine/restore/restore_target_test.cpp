#include "engine/restore/restore_target.hpp"

#include "unit/engine/restore/tree_fixture.hpp"

#include <sched.h>

#include <sys/mount.h>
#include <sys/wait.h>

using namespace cairn;
using namespace cairn::test;

TEST_CASE_FIXTURE(TreeFixture, "restore target: refusals by what is there") {
  const auto construct = [&](Shape shape, Overwrite overwrite) {
    return [=, this] { RestoreTarget(target, shape, overwrite); };
  };
  SUBCASE("a directory that is not empty") {
    fs::create_directory(target);
    put(target / "x", "");
    CHECK(kind_of(construct(Shape::tree, Overwrite::no)) == ErrorKind::usage);
    CHECK_NOTHROW(construct(Shape::tree, Overwrite::yes)());
    CHECK(kind_of(construct(Shape::single_file, Overwrite::yes)) == ErrorKind::usage);
  }
  SUBCASE("one file to an empty directory") {
    fs::create_directory(target);
    CHECK(kind_of(construct(Shape::single_file, Overwrite::no)) == ErrorKind::usage);
  }
  SUBCASE("a file") {
    put(target, "x");
    CHECK(kind_of(construct(Shape::tree, Overwrite::yes)) == ErrorKind::usage);
    CHECK(kind_of(construct(Shape::single_file, Overwrite::no)) == ErrorKind::usage);
    CHECK_NOTHROW(construct(Shape::single_file, Overwrite::yes)());
  }
  SUBCASE("a link to nothing, and something below a file") {
    fs::create_symlink("nothing", target);
    CHECK(kind_of(construct(Shape::tree, Overwrite::yes)) == ErrorKind::usage);
    put(directory.path() / "file", "");
    target = directory.path() / "file/below";
    CHECK(kind_of(construct(Shape::tree, Overwrite::yes)) == ErrorKind::usage);
  }
  SUBCASE("a device") {
    target = "/dev/null";
    CHECK(kind_of(construct(Shape::single_file, Overwrite::yes)) == ErrorKind::usage);
  }
  SUBCASE("a path that is not absolute, or ends with a slash") {
    const fs::path there = target / "";
    CHECK(RestoreTarget(there, Shape::tree, Overwrite::no).path() == fs::canonical(directory.path()) / "target");
    CHECK(RestoreTarget("no-such-name", Shape::tree, Overwrite::no).path().is_absolute());
  }
  SUBCASE("a disk that is too small") {
    const RestoreTarget there{target / "in/new", Shape::tree, Overwrite::no};
    CHECK_NOTHROW(there.check_space(1));
    CHECK(kind_of([&] { there.check_space(std::uint64_t{1} << 60); }) == ErrorKind::failed);
  }
}

TEST_CASE_FIXTURE(TreeFixture, "restore target: a link that the user names is followed") {
  fs::create_directory(directory.path() / "real");
  fs::create_symlink("real", target);
  auto to = writer();
  add_file(to, "file", "x");
  to.publish();
  CHECK(fs::is_symlink(target));
  CHECK(names_in(directory.path() / "real") == std::vector<std::string>{"file"});
}

TEST_CASE_FIXTURE(TreeFixture, "restore target: what is mounted inside is refused before anything is touched") {
  fs::create_directories(target / "dir/below");
  fs::create_directories(directory.path() / "elsewhere/below");
  put(target / "file", "old");
  put(directory.path() / "other", "mounted");
  const auto refused = [&](const std::string& path, EntryType type) {
    const RestoreTarget tree{target, Shape::tree, Overwrite::yes};
    return failure_of([&] { tree.check_entry(make_entry(path, type)); }) == ErrorKind::failed;
  };
  // From the same file system, so that the device's number says nothing.
  const auto in_namespace = [&](auto f) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount((directory.path() / "elsewhere").c_str(), (target / "dir").c_str(), nullptr, MS_BIND, nullptr) != 0 ||
          ::mount((directory.path() / "other").c_str(), (target / "file").c_str(), nullptr, MS_BIND, nullptr) != 0) {
        ::_exit(77);
      }
      bool ok = false;
      try {
        ok = f();
      } catch (...) {
        ok = false;
      }
      ::_exit(ok ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
      MESSAGE("SKIPPED: no mount can be made here: what is mounted inside a restore's target");
    }
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
  };
  CHECK(in_namespace([&] { return refused("dir", EntryType::directory); }));
  CHECK(in_namespace([&] { return refused("dir/below", EntryType::directory); }));
  CHECK(in_namespace([&] { return refused("dir/new", EntryType::file); }));
  CHECK(in_namespace([&] { return refused("file", EntryType::file); }));
  CHECK(in_namespace([&] {
    const RestoreTarget single{target / "file", Shape::single_file, Overwrite::yes};
    return failure_of([&] { single.check_entry(make_entry("any", EntryType::file)); }) == ErrorKind::failed;
  }));
  CHECK(in_namespace([&] { return !refused("new", EntryType::file) && !refused("new", EntryType::directory); }));
  // What is mounted after the entry was accepted is seen once more before anything is moved.
  CHECK(in_namespace([&] {
    ::umount((target / "file").c_str());
    auto to = writer(Overwrite::yes);
    add_file(to, "a", "new");
    add_file(to, "file", "new");
    if (::mount((directory.path() / "other").c_str(), (target / "file").c_str(), nullptr, MS_BIND, nullptr) != 0) {
      return false;
    }
    return failure_of([&] { to.publish(); }) == ErrorKind::failed && !fs::exists(target / "a");
  }));
  CHECK_FALSE(refused("dir", EntryType::directory));
  CHECK_FALSE(refused("file", EntryType::file));
}

TEST_CASE_FIXTURE(TreeFixture, "restore target: a subvolume is elsewhere, the file of another layer is not") {
  const SeenThere root{S_IFDIR | 0755, {true, 7}, 50};
  const auto refused = [&](const SeenThere& there) {
    return message_of([&] { require_within_reach(there, root, "/srv/x"); });
  };
  const std::string mounted = "unable to restore to '/srv/x': something is mounted there";
  CHECK(refused(root).empty());
  CHECK(refused({S_IFREG | 0644, {true, 7}, 51}).empty());
  CHECK(refused({S_IFDIR | 0755, {true, 7}, 51}) == "unable to restore to '/srv/x': it is a subvolume of its own");
  CHECK(refused({S_IFDIR | 0755, {true, 8}, 50}) == mounted);
  CHECK(refused({S_IFREG | 0644, {true, 8}, 50}) == mounted);
  struct stat status {};
  REQUIRE(::stat(directory.path().c_str(), &status) == 0);
  const UniqueFd fd = open_file(directory.path(), O_RDONLY | O_DIRECTORY);
  const auto seen = see(fd.get(), "");
  REQUIRE(seen);
  CHECK(seen->device == status.st_dev);
}
