#include "engine/restore/staging.hpp"

#include "unit/engine/restore/tree_fixture.hpp"

#include <algorithm>

#include <sys/file.h>

using namespace cairn;
using namespace cairn::test;

namespace {

Digest snapshot(std::uint8_t number) {
  Digest digest;
  digest.bytes.fill(number);
  return digest;
}

RestoreTarget tree_at(const fs::path& path) {
  return {path, Shape::tree, Overwrite::yes};
}

// What a restore leaves that is killed: the directory, with something in it.
std::string leave(const RestoreTarget& target, const Digest& of) {
  Staging left = Staging::create(target, of);
  put(left.path() / "kept", "written before");
  left.release();
  return left.name();
}

}  // namespace

TEST_CASE_FIXTURE(TreeFixture, "staging: a snapshot and a target have one name") {
  const RestoreTarget to = tree_at(target);
  const std::string name = Staging::name_of(snapshot(1), to);
  CHECK(name.starts_with(std::string{RestoreTarget::k_staging_prefix} + "0101010101010101-"));
  CHECK(Staging::name_of(snapshot(1), tree_at(directory.path() / "x" / ".." / "target")) == name);
  CHECK(Staging::name_of(snapshot(2), to) != name);
  CHECK(Staging::name_of(snapshot(1), tree_at(directory.path() / "other")) != name);
  CHECK(Staging::name_of(snapshot(1), tree_at(target / "below")) != name);
  // It says where below its directory, and not where that is: disks get other mount points.
  fs::create_directory(directory.path() / "moved");
  CHECK(Staging::name_of(snapshot(1), tree_at(directory.path() / "moved/target")) == name);
}

TEST_CASE_FIXTURE(TreeFixture, "staging: made under its name, private, and gone with its object") {
  const RestoreTarget to = tree_at(target);
  {
    const Staging made = Staging::create(to, snapshot(1));
    CHECK(made.name() == Staging::name_of(snapshot(1), to));
    CHECK(names_in(directory.path()) == std::vector{made.name()});
    CHECK((fs::status(made.path()).permissions() & fs::perms::all) == fs::perms::owner_all);
    put(made.path() / "file", "x");
    // The name is taken, and by one that is alive.
    const Staging other = Staging::create(to, snapshot(1));
    CHECK(other.name().starts_with(made.name() + "-"));
    CHECK(names_in(other.path()).empty());
    CHECK_FALSE(Staging::adopt(to, made.name()));
    Staging moved = Staging::create(to, snapshot(2));
    const Staging kept = std::move(moved);
    CHECK(names_in(directory.path()).size() == 3);
  }
  CHECK(names_in(directory.path()).empty());
  Staging discarded = Staging::create(to, snapshot(1));
  CHECK(discarded.discard());
  CHECK(names_in(directory.path()).empty());
}

TEST_CASE_FIXTURE(TreeFixture, "staging: what an earlier run left is found again by snapshot and target") {
  fs::create_directory(target);
  const RestoreTarget to = tree_at(target);
  CHECK_FALSE(Staging::adopt(to, Staging::name_of(snapshot(1), to)));
  CHECK(leave(to, snapshot(1)) == Staging::name_of(snapshot(1), to));
  CHECK_FALSE(Staging::adopt(to, Staging::name_of(snapshot(2), to)));
  {
    auto adopted = Staging::adopt(to, Staging::name_of(snapshot(1), to));
    REQUIRE(adopted);
    CHECK(get(adopted->path() / "kept") == "written before");
    // One at a time.
    CHECK_FALSE(Staging::adopt(to, Staging::name_of(snapshot(1), to)));
    adopted->release();
  }
  CHECK(Staging::adopt(to, Staging::name_of(snapshot(1), to)));  // and dropped
  CHECK(fs::is_empty(target));
}

TEST_CASE_FIXTURE(TreeFixture, "staging: what may be another's is not adopted, nor removed") {
  fs::create_directory(target);
  const RestoreTarget to = tree_at(target);
  const std::string name = leave(to, snapshot(1));
  const fs::path at = target / name;
  SUBCASE("others may enter it") {
    fs::permissions(at, fs::perms::owner_all | fs::perms::group_exec);
  }
  SUBCASE("it is not marked, where others may rename things") {
    REQUIRE(::chmod(target.c_str(), 0777) == 0);
    fs::permissions(at, fs::perms::owner_all);
  }
  SUBCASE("it belongs to another user") {
    if (::geteuid() != 0) return;
    REQUIRE(::chown(at.c_str(), 12345, 12345) == 0);
  }
  SUBCASE("it is a link to one") {
    fs::rename(at, directory.path() / "elsewhere");
    fs::create_directory_symlink(directory.path() / "elsewhere", at);
  }
  CHECK_FALSE(Staging::adopt(to, name));
  LeftStaging left{to, snapshot(1)};
  CHECK(left.all().empty());
  left.discard(notes);
  CHECK(get(at / "kept") == "written before");
  CHECK(notes.warnings.empty());
}

TEST_CASE_FIXTURE(TreeFixture, "staging: what was left for a target is found, that of the snapshot first, and stays") {
  const RestoreTarget to = tree_at(target);
  const std::string other_snapshot = leave(to, snapshot(1));
  const std::string other_target = leave(tree_at(directory.path() / "other"), snapshot(2));
  const std::string same = leave(to, snapshot(2));
  const Staging alive = Staging::create(to, snapshot(3));
  {
    const LeftStaging left{to, snapshot(2)};
    REQUIRE(left.all().size() == 2);
    CHECK(left.all()[0].name() == same);
    CHECK(left.is_same(left.all()[0]));
    CHECK(left.all()[1].name() == other_snapshot);
    CHECK_FALSE(left.is_same(left.all()[1]));
    CHECK(left.all()[0].is_worth_keeping());
    // Anybody else who looks finds it in use.
    CHECK(LeftStaging{to, snapshot(2)}.all().empty());
  }
  CHECK(get(directory.path() / same / "kept") == "written before");
  LeftStaging{to, snapshot(2)}.discard(notes);
  std::vector<std::string> there{alive.name(), other_target};
  std::sort(there.begin(), there.end());
  CHECK(names_in(directory.path()) == there);
}

TEST_CASE_FIXTURE(TreeFixture, "staging: only what has content is worth keeping") {
  const Staging made = Staging::create(tree_at(target), snapshot(1));
  fs::create_directories(made.path() / "a/b");
  put(made.path() / "empty", "");
  put(made.path() / "hole", "");
  REQUIRE(::truncate((made.path() / "hole").c_str(), 1 << 20) == 0);
  CHECK_FALSE(made.is_worth_keeping());
  put(made.path() / "a/b/file", "text");
  CHECK(made.is_worth_keeping());
}

TEST_CASE_FIXTURE(TreeFixture, "staging: what a killed restore left is removed, what another one uses is not") {
  const std::string killed = Staging::name_of({}, tree_at(target)) + "-killed";
  const std::string used = Staging::name_of({}, tree_at(target)) + "-used";
  for (const std::string& name : {killed, used}) {
    fs::create_directories(directory.path() / name / "sub");
    fs::permissions(directory.path() / name, fs::perms::owner_all);
  }
  const UniqueFd alive = open_file(directory.path() / used, O_RDONLY | O_DIRECTORY);
  REQUIRE(::flock(alive.get(), LOCK_EX) == 0);
  auto to = writer();
  const auto names = names_in(directory.path());
  CHECK(names.size() == 2);
  CHECK(std::count(names.begin(), names.end(), used) == 1);
  CHECK(std::count(names.begin(), names.end(), killed) == 0);
  // Nor does it make a target count as full.
  fs::create_directories(target / ".cairn-restore-0123456789abcdef");
  CHECK_NOTHROW(RestoreTarget(target, Shape::tree, Overwrite::no));
}

TEST_CASE_FIXTURE(TreeFixture, "staging: what took the place of staging is neither published nor removed") {
  const auto staging = [&](const fs::path& where) {
    for (const auto& name : names_in(where)) {
      if (name.starts_with(RestoreTarget::k_staging_prefix)) return where / name;
    }
    FAIL("no staging");
    return where;
  };
  fs::path where = directory.path();
  SUBCASE("of a new tree") {}
  SUBCASE("in a target that is there") {
    fs::create_directory(target);
    where = target;
  }
  fs::path at;
  {
    auto to = writer();
    add_file(to, "file", "x");
    at = staging(where);
    fs::rename(at, where / "away");
    fs::create_directory(at);
    put(at / "kept", "another's");
    if (where == target) {
      to.publish();
      CHECK(get(target / "file") == "x");
    } else {
      CHECK(kind_of([&] { to.publish(); }) == ErrorKind::failed);
      at = fs::exists(at) ? at : target;
    }
  }
  CHECK(get(at / "kept") == "another's");
}

TEST_CASE_FIXTURE(TreeFixture, "staging: a directory that was renamed to look like staging is not removed") {
  fs::create_directory(target);
  REQUIRE(::chmod(target.c_str(), 0777) == 0);
  const fs::path like = target / (RestoreTarget::k_staging_prefix + std::string{"0011223344556677"});
  fs::create_directory(like);
  put(like / "kept", "x");
  auto to = writer();
  add_file(to, "file", "x");
  to.publish();
  CHECK(get(like / "kept") == "x");
}
