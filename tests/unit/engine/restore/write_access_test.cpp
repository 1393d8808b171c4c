#include "engine/restore/write_access.hpp"

#include "support/nobody.hpp"
#include "unit/engine/restore/tree_fixture.hpp"

#include <cerrno>

using namespace cairn;
using namespace cairn::test;

namespace {

constexpr uid_t k_me = 1000;
constexpr uid_t k_other = 1001;

DirectoryAccess directory(uid_t owner, mode_t mode, int write_error = 0) {
  return {{owner, S_IFDIR | mode, false, false}, write_error, 0};
}
Protection file(uid_t owner) {
  return {owner, S_IFREG | 0644, false, false};
}

}  // namespace

TEST_CASE("write access: a directory is judged by what the kernel says, and mended only by its owner") {
  const Rights rights{k_me, false};
  CHECK(judge_writing(directory(k_me, 0755), rights).writing == Writing::granted);
  // Another's, but the group may write: no matter of ours why the kernel lets us.
  CHECK(judge_writing(directory(k_other, 0775), rights).writing == Writing::granted);
  CHECK(judge_writing(directory(k_me, 0555, EACCES), rights).writing == Writing::mendable);
  CHECK(judge_writing(directory(k_me, 0655, EACCES), rights).writing == Writing::mendable);
  // Not the mode: something that a mode does not cure.
  CHECK(judge_writing(directory(k_me, 0755, EACCES), rights).writing == Writing::refused);
  CHECK(judge_writing(directory(k_me, 0555, EROFS), rights).writing == Writing::refused);
  CHECK(judge_writing(directory(k_other, 0555, EACCES), rights).writing == Writing::refused);
  // To change another's mode would not help this user.
  CHECK(judge_writing(directory(k_other, 0555, EACCES), {k_me, true}).writing == Writing::refused);
  // The root of a container, without capabilities.
  CHECK(judge_writing(directory(0, 0555, EACCES), {0, false}).writing == Writing::mendable);
  const auto refused = judge_writing(directory(k_other, 0755, EACCES), rights);
  CHECK(refused.refusal.reason == "names in it may not be changed: Permission denied");
  CHECK(refused.refusal.hint.find("user 1001") != std::string::npos);
}

TEST_CASE("write access: attributes refuse whatever rights there are") {
  const Rights all{0, true};
  DirectoryAccess there = directory(0, 0755);
  there.protection.immutable = true;
  CHECK(judge_writing(there, all).refusal.reason == "it has the immutable attribute");
  there = directory(0, 0755);
  there.protection.append_only = true;
  CHECK(judge_writing(there, all).writing == Writing::refused);
  Protection kept = file(0);
  kept.immutable = true;
  CHECK(refusal_to_replace(kept, directory(0, 0755).protection, all));
  CHECK(refusal_to_change(kept));
  kept = file(0);
  kept.append_only = true;
  CHECK(refusal_to_replace(kept, directory(0, 0755).protection, all));
  CHECK_FALSE(refusal_to_change(file(0)));
}

TEST_CASE("write access: a sticky bit keeps what is another's") {
  const Protection sticky = directory(0, 01777).protection;
  CHECK(refusal_to_replace(file(k_other), sticky, {k_me, false}));
  CHECK_FALSE(refusal_to_replace(file(k_me), sticky, {k_me, false}));
  CHECK_FALSE(refusal_to_replace(file(k_other), sticky, {k_me, true}));
  CHECK_FALSE(refusal_to_replace(file(k_other), directory(k_me, 01777).protection, {k_me, false}));
  CHECK_FALSE(refusal_to_replace(file(k_other), directory(0, 0777).protection, {k_me, false}));
}

TEST_CASE_FIXTURE(TreeFixture, "write access: what is seen of a directory") {
  fs::permissions(directory.path(), static_cast<fs::perms>(0755));
  fs::create_directory(target);
  const auto seen = [&](mode_t mode) {
    REQUIRE(::chmod(target.c_str(), mode) == 0);
    const UniqueFd fd = open_file(target, O_PATH | O_DIRECTORY);
    return look_at_access(fd.get(), target.native());
  };
  CHECK(seen(0755).write_error == 0);
  CHECK(seen(01777).protection.mode == (S_IFDIR | 01777));
  CHECK(seen(0755).protection.owner == ::geteuid());
  REQUIRE(::chmod(target.c_str(), 0555) == 0);
  if (::geteuid() == 0) REQUIRE(::chown(target.c_str(), 65534, 65534) == 0);
  CHECK(as_nobody([&] {
    const UniqueFd fd = open_file(target, O_PATH | O_DIRECTORY);
    const DirectoryAccess access = look_at_access(fd.get(), target.native());
    return access.write_error == EACCES && access.read_error == 0 &&
           judge_writing(access, own_rights()).writing == Writing::mendable;
  }));
  REQUIRE(::chmod(target.c_str(), 0755) == 0);
}
