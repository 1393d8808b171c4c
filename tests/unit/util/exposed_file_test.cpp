#include "util/exposed_file.hpp"

#include "unit/skipped.hpp"
#include "unit/support.hpp"

#include <sched.h>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace cairn;

namespace {

// A file below two directories, all of them of whom this process runs as.
struct Scene {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path upper = directory.path() / "upper";
  fs::path lower = upper / "lower";
  fs::path file = lower / "cairn.toml";

  Scene() {
    for (const auto& each : {upper, lower}) {
      fs::create_directory(each);
      change(each, 0755);
    }
    write_file_atomic(file, as_bytes("x"));
    change(file, 0644);
  }
  static void change(const fs::path& path, unsigned mode) { REQUIRE(::chmod(path.c_str(), mode) == 0); }
  std::string seen(const fs::path& path) const { return who_else_changes(path, ::geteuid()).value_or(""); }
  std::string seen() const { return seen(file); }
};

}  // namespace

TEST_CASE("exposed file: who may write a file, or put another one in its place") {
  Scene scene;
  CHECK(scene.seen().empty());
  Scene::change(scene.file, 0664);
  CHECK(scene.seen() == quote(scene.file.native()) + " can be written by group " + std::to_string(::getegid()));
  Scene::change(scene.file, 0646);
  CHECK(scene.seen() == quote(scene.file.native()) + " can be written by everybody");
  Scene::change(scene.file, 0600);
  for (const auto& above : {scene.lower, scene.upper}) {
    Scene::change(above, 0777);
    CHECK(scene.seen() == quote(above.native()) + " can be written by everybody");
    // Somebody who puts something beside it there does not move it.
    Scene::change(above, 01777);
    CHECK(scene.seen().empty());
    Scene::change(above, 0755);
  }
}

TEST_CASE("exposed file: where links and dots lead to") {
  Scene scene;
  const fs::path link = scene.directory.path() / "link";
  fs::create_symlink("upper/../upper/./lower", link);
  CHECK(scene.seen(link / "cairn.toml").empty());
  Scene::change(scene.upper, 0777);
  CHECK_FALSE(scene.seen(link / "cairn.toml").empty());
  Scene::change(scene.upper, 0755);
  fs::create_symlink(scene.file, scene.directory.path() / "direct");
  Scene::change(scene.file, 0666);
  CHECK_FALSE(scene.seen(scene.directory.path() / "direct").empty());
  fs::create_symlink("round", scene.directory.path() / "round");
  CHECK(scene.seen(scene.directory.path() / "round").empty());
}

TEST_CASE("exposed file: what is no file of a file system is whose who opened it") {
  const Scene scene;
  CHECK(scene.seen("/dev/null").empty());
  CHECK(scene.seen("/proc/self/fd/0").empty());
  CHECK(scene.seen(scene.lower / "nothing").empty());
  CHECK(scene.seen("").empty());
}

TEST_CASE("exposed file: a stranger's file, directory and link") {
  if (!test::is_root_for("a stranger's files")) return;
  constexpr uid_t k_stranger = 65534;
  const auto expected = [](const fs::path& path) { return quote(path.native()) + " belongs to user 65534"; };
  Scene scene;
  for (const auto& each : {scene.file, scene.lower, scene.upper}) {
    REQUIRE(::chown(each.c_str(), k_stranger, 0) == 0);
    CHECK(scene.seen() == expected(each));
    CHECK_FALSE(who_else_changes(scene.file, k_stranger));
    REQUIRE(::chown(each.c_str(), 0, 0) == 0);
  }
  // In a directory for everybody he may point his link somewhere else.
  Scene::change(scene.upper, 01777);
  const fs::path link = scene.upper / "link";
  fs::create_symlink(scene.file, link);
  REQUIRE(::lchown(link.c_str(), k_stranger, k_stranger) == 0);
  CHECK(scene.seen(link) == expected(link));
}

TEST_CASE("exposed file: nothing is changed on a read-only mount") {
  if (!test::is_root_for("a read-only mount")) return;
  Scene scene;
  REQUIRE(::chown(scene.file.c_str(), 65534, 0) == 0);
  REQUIRE(::chown(scene.lower.c_str(), 65534, 0) == 0);
  REQUIRE_FALSE(scene.seen().empty());
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    const char* const at = scene.lower.c_str();
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount(at, at, nullptr, MS_BIND, nullptr) == 0 &&
                         ::mount(nullptr, at, nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) == 0;
    ::_exit(!mounted ? 2 : scene.seen().empty() ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFEXITED(status));
  // A container may not permit mounts.
  if (WEXITSTATUS(status) == 2) test::tell_skipped("no mount can be made here", "a read-only mount");
  CHECK(WEXITSTATUS(status) != 1);
}
