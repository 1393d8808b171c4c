#include "util/spool_directory.hpp"

#include "unit/skipped.hpp"
#include "util/error.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/stat.h>

using namespace cairn;

namespace {

void make_old(const fs::path& path) {
  const struct timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

fs::path left_behind(const fs::path& parent, const char* name) {
  fs::create_directories(parent / name / "inner");
  write_file_atomic(parent / name / ".tmp-pack-0011", as_bytes("pack"));
  make_old(parent / name);
  return parent / name;
}

}  // namespace

TEST_CASE("spool: a directory of its own, private, gone with the run") {
  const TemporaryDirectory parent{fs::temp_directory_path()};
  fs::path made;
  {
    const SpoolDirectory spool{parent.path() / "not/yet/there"};
    made = spool.path();
    struct stat status {};
    REQUIRE(::stat(made.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
    write_file_atomic(made / "pack", as_bytes("x"));
  }
  CHECK_FALSE(fs::exists(made));
  CHECK(fs::exists(parent.path() / "not/yet/there"));
}

TEST_CASE("spool: what killed runs left is removed, and nothing else") {
  const TemporaryDirectory parent{fs::temp_directory_path()};
  const fs::path dead = left_behind(parent.path(), "cairn-spool-a1B2c3");
  const fs::path other_name = left_behind(parent.path(), "cairn-spool-longer-name");
  const fs::path stranger = left_behind(parent.path(), "somebody-else");
  const fs::path locked = left_behind(parent.path(), "cairn-spool-locked");
  const UniqueFd lock = open_file(locked, O_RDONLY | O_DIRECTORY);
  REQUIRE(::flock(lock.get(), LOCK_EX | LOCK_NB) == 0);
  const fs::path young = parent.path() / "cairn-spool-young1";
  fs::create_directory(young);
  // Neither a file nor a link of such a name is one of ours.
  write_file_atomic(parent.path() / "cairn-spool-afile1", as_bytes("x"));
  make_old(parent.path() / "cairn-spool-afile1");
  fs::create_directory_symlink(stranger, parent.path() / "cairn-spool-alink1");
  make_old(parent.path() / "cairn-spool-alink1");

  const SpoolDirectory spool{parent.path()};
  CHECK_FALSE(fs::exists(dead));
  for (const auto& kept : {other_name, stranger, locked, young, parent.path() / "cairn-spool-afile1", spool.path(),
                           stranger / ".tmp-pack-0011"}) {
    CAPTURE(kept.native());
    CHECK(fs::exists(kept));
  }
  CHECK(fs::is_symlink(parent.path() / "cairn-spool-alink1"));
  CHECK(sweep_spools(parent.path() / "not there") == 0);
}

TEST_CASE("spool: one that is in use stays, however old it looks") {
  const TemporaryDirectory parent{fs::temp_directory_path()};
  const SpoolDirectory spool{parent.path()};
  make_old(spool.path());
  CHECK(sweep_spools(parent.path()) == 0);
  CHECK(fs::exists(spool.path()));
}

TEST_CASE("spool: not where another user may put something else in its place") {
  if (!test::is_root_for("a spool below another user's directory")) return;
  const TemporaryDirectory parent{fs::temp_directory_path()};
  fs::create_directories(parent.path() / "home/tmp");
  CHECK_NOTHROW(SpoolDirectory{parent.path() / "home/tmp"});
  REQUIRE(::chown((parent.path() / "home").c_str(), 12345, 12345) == 0);
  CHECK_THROWS_AS(SpoolDirectory{parent.path() / "home/tmp"}, Error);
  CHECK_THROWS_AS(SpoolDirectory{parent.path() / "home/new"}, Error);
  CHECK_FALSE(fs::exists(parent.path() / "home/new"));
}

TEST_CASE("spool: another directory that has its name by now is not removed") {
  const TemporaryDirectory parent{fs::temp_directory_path()};
  fs::path path;
  {
    const SpoolDirectory spool{parent.path()};
    path = spool.path();
    write_file_atomic(path / "pack", as_bytes("x"));
    fs::rename(path, parent.path() / "away");
    fs::create_directory(path);
    write_file_atomic(path / "kept", as_bytes("x"));
  }
  CHECK(fs::exists(path / "kept"));
  CHECK(fs::is_empty(parent.path() / "away"));
}
