#include "engine/restore/target_state.hpp"

#include "support/content.hpp"
#include "unit/engine/restore/tree_fixture.hpp"

#include <optional>
#include <string>

#include <sys/sysmacros.h>
#include <sys/xattr.h>

using namespace cairn;
using test::make_entry;
using test::write;

namespace {

struct There : test::TreeFixture {
  There() { fs::create_directory(target); }
  std::optional<EntryState> look(const Entry& entry) const {
    const RestoreTarget to{target, RestoreTarget::Shape::tree, RestoreTarget::Overwrite::in_place};
    return TargetState{to}.look(entry);
  }
  // An entry that is as the file is.
  Entry same(const std::string& path, EntryType type) const {
    struct stat status {};
    REQUIRE(::lstat((target / path).c_str(), &status) == 0);
    Entry entry = make_entry(path, type, static_cast<std::uint64_t>(status.st_size));
    entry.mode = status.st_mode & 07777U;
    entry.uid = status.st_uid;
    entry.gid = status.st_gid;
    entry.mtime = Time{std::chrono::seconds{status.st_mtim.tv_sec} + std::chrono::nanoseconds{status.st_mtim.tv_nsec}};
    entry.device_major = major(status.st_rdev);
    entry.device_minor = minor(status.st_rdev);
    return entry;
  }
};

}  // namespace

TEST_CASE("target state: of a file each thing that may differ is seen") {
  There t;
  write(t.target / "file", "text");
  Entry entry = t.same("file", EntryType::file);
  REQUIRE(t.look(entry));
  CHECK(t.look(entry)->same_kind);
  CHECK(t.look(entry)->same_metadata);
  bool same = false;
  SUBCASE("mode") {
    entry.mode ^= 01;
  }
  SUBCASE("set-id bits") {
    entry.mode |= 04000;
  }
  SUBCASE("owner") {
    entry.uid += 1;
  }
  SUBCASE("group") {
    entry.gid += 1;
  }
  SUBCASE("time, by a nanosecond") {
    entry.mtime += std::chrono::nanoseconds{1};
  }
  SUBCASE("time, before 1970") {
    entry.mtime = Time{std::chrono::nanoseconds{-1}};
  }
  SUBCASE("an attribute that it lacks") {
    entry.xattrs = {{"user.a", "x"}};
  }
  SUBCASE("an attribute that it has besides") {
    REQUIRE(::setxattr((t.target / "file").c_str(), "user.a", "x", 1, 0) == 0);
    SUBCASE("not in the snapshot") {}
    SUBCASE("of another value") {
      entry.xattrs = {{"user.a", "y"}};
    }
    SUBCASE("the same") {
      entry.xattrs = {{"user.a", "x"}};
      same = true;
    }
  }
  SUBCASE("a label, which is nothing of the snapshot's") {
    entry.xattrs = {{"security.selinux", "x"}};
    same = true;
  }
  CHECK(t.look(entry)->same_kind);
  CHECK(t.look(entry)->same_metadata == same);
}

TEST_CASE("target state: of another kind, and of other links and devices") {
  There t;
  write(t.target / "file", "text");
  fs::create_symlink("text", t.target / "link");
  REQUIRE(::mkfifo((t.target / "pipe").c_str(), 0600) == 0);
  for (const auto type : {EntryType::directory, EntryType::symlink, EntryType::fifo, EntryType::socket,
                          EntryType::char_device, EntryType::block_device}) {
    CHECK_FALSE(t.look(t.same("file", type))->same_kind);
  }
  Entry link = t.same("link", EntryType::symlink);
  link.link_target = "text";
  CHECK(t.look(link)->same_kind);
  CHECK(t.look(link)->same_metadata);
  link.mode = 0;  // a link has none
  CHECK(t.look(link)->same_metadata);
  link.link_target = "texu";
  CHECK_FALSE(t.look(link)->same_kind);
  CHECK(t.look(t.same("pipe", EntryType::fifo))->same_metadata);
  if (::geteuid() != 0 || ::mknod((t.target / "null").c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0) return;
  Entry device = t.same("null", EntryType::char_device);
  CHECK(t.look(device)->same_kind);
  device.device_minor = 5;
  CHECK_FALSE(t.look(device)->same_kind);
}

TEST_CASE("target state: nothing is found behind a link, nor where nothing is") {
  There t;
  fs::create_directory(t.target / "dir");
  write(t.target / "dir" / "file", "text");
  fs::create_directory_symlink("dir", t.target / "way");
  CHECK(t.look(make_entry("dir/file", EntryType::file)));
  CHECK_FALSE(t.look(make_entry("way/file", EntryType::file)));
  CHECK_FALSE(t.look(make_entry("dir/none", EntryType::file)));
  CHECK_FALSE(t.look(make_entry("none/file", EntryType::file)));
  CHECK_FALSE(t.look(make_entry("dir/file/below", EntryType::file)));
}

TEST_CASE("target state: a database that has a log is more than its bytes") {
  There t;
  const std::string magic{"SQLite format 3\0", 16};
  write(t.target / "db", magic + std::string(4080, 'x'));
  write(t.target / "text", "text");
  CHECK_FALSE(t.look(t.same("db", EntryType::file))->has_log);
  for (const char* suffix : {"-wal", "-journal", "-shm"}) {
    write(t.target / (std::string{"text"} + suffix), "");
    write(t.target / (std::string{"db"} + suffix), "");
    CHECK(t.look(t.same("db", EntryType::file))->has_log);
    fs::remove(t.target / (std::string{"db"} + suffix));
  }
  CHECK_FALSE(t.look(t.same("text", EntryType::file))->has_log);
  // An encrypted one has no magic, but its log has.
  write(t.target / "text-wal", std::string{"\x37\x7f\x06\x82", 4} + std::string(28, '\0'));
  CHECK(t.look(t.same("text", EntryType::file))->has_log);
}

TEST_CASE("target state: one file goes by the name that it has there") {
  There t;
  write(t.target / "mine", "text");
  const RestoreTarget to{t.target / "mine", RestoreTarget::Shape::single_file, RestoreTarget::Overwrite::in_place};
  TargetState state{to};
  Entry entry = t.same("mine", EntryType::file);
  entry.path = "of the snapshot";
  CHECK(state.path_of(entry) == "mine");
  REQUIRE(state.look(entry));
  CHECK(state.look(entry)->same_metadata);
}
