#include "engine/restore/tree_writer.hpp"

#include "support/nobody.hpp"
#include "unit/engine/restore/tree_fixture.hpp"

#include <algorithm>
#include <thread>

#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

using namespace cairn;
using namespace cairn::test;

TEST_CASE_FIXTURE(TreeFixture, "tree writer: a tree with every kind of entry comes back as it was") {
  const std::string longest(255, 'n');
  fs::create_directories(source / "dir/deep");
  put(source / "dir/file", "content");
  put(source / "empty", "");
  put(source / "a\nb", "newline");
  put(source / "\xff\xfe", "no encoding");
  fs::create_directory(source / longest);
  put(source / longest / longest, "long");
  fs::create_symlink("../no\nwhere", source / "link");
  fs::create_hard_link(source / "link", source / "link2");
  fs::create_hard_link(source / "dir/file", source / "aaa");
  fs::create_hard_link(source / "dir/file", source / "zzz");
  REQUIRE(::mkfifo((source / "fifo").c_str(), 0600) == 0);
  ::chmod((source / "fifo").c_str(), 0662);
  {
    const UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (source / "socket").native().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  if (::geteuid() == 0) {
    ::mknod((source / "char").c_str(), S_IFCHR | 0640, makedev(1, 3));
    ::mknod((source / "block").c_str(), S_IFBLK | 0600, makedev(259, 70000));
    REQUIRE(::lchown((source / "link").c_str(), 12345, 54321) == 0);
    REQUIRE(::lchown((source / "dir/file").c_str(), 12345, 54321) == 0);
    REQUIRE(::chown((source / "dir").c_str(), 1, 2) == 0);
    ::lsetxattr((source / "link").c_str(), "trusted.on-a-link", "x", 1, 0);
    // cap_net_bind_service=ep, version 2: lost if the owner is set after it.
    const unsigned char capability[20] = {1, 0, 0, 2, 0, 4};
    ::setxattr((source / "empty").c_str(), "security.capability", capability, sizeof capability, 0);
  }
  ::chmod((source / "dir/file").c_str(), 06755);
  ::setxattr((source / "dir/file").c_str(), "user.x", "value\0more", 10, 0);
  ::setxattr((source / "dir").c_str(), "user.d", "", 0, 0);
  const unsigned char acl[] = {2, 0,   0,   0,   1,   0,   7,  0, 255, 255, 255, 255, 2,   0,  4,
                               0, 210, 4,   0,   0,   4,   0,  0, 0,   255, 255, 255, 255, 16, 0,
                               4, 0,   255, 255, 255, 255, 32, 0, 1,   0,   255, 255, 255, 255};
  ::setxattr((source / "dir").c_str(), "system.posix_acl_access", acl, sizeof acl, 0);
  // Whatever is made in a directory with a default list inherits it, unless care is taken.
  ::setxattr((source / "dir").c_str(), "system.posix_acl_default", acl, sizeof acl, 0);
  put(source / "empty-acl", "");
  ::setxattr((source / "empty-acl").c_str(), "system.posix_acl_access", acl, sizeof acl, 0);
  ::chmod((source / "dir/deep").c_str(), 0);
  const struct timespec times[2] = {{1, 1}, {-5, 999999999}};
  ::utimensat(AT_FDCWD, (source / "link").c_str(), times, AT_SYMLINK_NOFOLLOW);
  ::utimensat(AT_FDCWD, (source / "dir/deep").c_str(), times, 0);
  ::utimensat(AT_FDCWD, (source / "fifo").c_str(), times, 0);
  ::utimensat(AT_FDCWD, source.c_str(), times, 0);

  SUBCASE("to a new directory") {
    copy();
    CHECK(names_in(directory.path()) == std::vector<std::string>{"source", "target"});
  }
  SUBCASE("to a new directory in new directories") {
    target = directory.path() / "some/where/else";
    copy();
  }
  SUBCASE("to an empty directory") {
    fs::create_directory(target);
    copy();
  }
  SUBCASE("to a directory whose default access control list would be inherited") {
    fs::create_directory(target);
    ::setxattr(target.c_str(), "system.posix_acl_default", acl, sizeof acl, 0);
    copy();
  }
  SUBCASE("twice to the same directory") {
    copy();
    put(target / "dir/file", "changed");
    fs::remove(target / "aaa");
    put(target / "aaa", "no link any more");
    ::setxattr((target / "dir").c_str(), "user.other", "x", 1, 0);
    ::chmod(target.c_str(), 0700);
    copy(Overwrite::yes);
  }
  if (::geteuid() == 0) CHECK(notes.warnings.empty());
  check_same();
  CHECK(fs::hard_link_count(target / "aaa") == 3);
  CHECK(get(target / longest / longest) == "long");
}

TEST_CASE_FIXTURE(TreeFixture, "tree writer: two thousand names of one file") {
  fs::create_directories(source / "sub");
  put(source / "sub/first", "x");
  for (int i = 0; i < 1999; ++i) fs::create_hard_link(source / "sub/first", source / ("n" + std::to_string(i)));
  copy();
  CHECK(fs::hard_link_count(target / "n0") == 2000);
  check_same();
}

TEST_CASE_FIXTURE(TreeFixture, "tree writer: what is not written is a hole") {
  constexpr std::uint64_t k_size = 20'000'000'000;
  fs::create_directory(source);
  {
    const UniqueFd fd = open_file(source / "huge", O_RDWR | O_CREAT, 0600);
    if (::ftruncate(fd.get(), static_cast<off_t>(k_size)) != 0) return;
    write_at(fd.get(), as_bytes("near the end"), k_size - 100, source);
  }
  copy();
  struct stat status {};
  REQUIRE(::stat((target / "huge").c_str(), &status) == 0);
  CHECK(static_cast<std::uint64_t>(status.st_size) == k_size);
  CHECK(status.st_blocks <= 256);
  const UniqueFd fd = open_file(target / "huge", O_RDONLY);
  Bytes end(12);
  read_at(fd.get(), end, k_size - 100, target);
  CHECK(as_text(end) == "near the end");
}

TEST_CASE_FIXTURE(TreeFixture, "tree writer: deeper than PATH_MAX") {
  auto to = writer();
  std::string path = "d";
  for (int i = 0; i < 300; ++i) path += "/twenty-characters-xx";
  add_file(to, path + "/file", "deep");
  to.publish();
  target /= "d";
  DirectoryOptions options;
  options.path = target;
  DirectorySource there{options};
  std::string last;
  while (auto item = there.next()) last = item->entry.path;
  CHECK("d/" + last == path + "/file");
}

TEST_CASE_FIXTURE(TreeFixture,
                  "tree writer: nothing is at the target before publish, and nothing anywhere without it") {
  {
    auto to = writer();
    add_file(to, "file", "x");
    CHECK_FALSE(fs::exists(target));
    CHECK(names_in(directory.path()).size() == 1);
  }
  CHECK(names_in(directory.path()).empty());
  fs::create_directory(target);
  put(target / "file", "old");
  {
    auto to = writer(Overwrite::yes);
    add_file(to, "file", "new");
    CHECK(get(target / "file") == "old");
  }
  CHECK(names_in(target) == std::vector<std::string>{"file"});
  CHECK(get(target / "file") == "old");
}

TEST_CASE_FIXTURE(TreeFixture, "tree writer: any order, directories as needed") {
  auto to = writer();
  to.add([] {
    Entry link = make_entry("b/link", EntryType::hard_link);
    link.link_target = "c/chain";
    return link;
  }());
  to.add([] {
    Entry link = make_entry("c/chain", EntryType::hard_link);
    link.link_target = "z/deep/file";
    return link;
  }());
  add_file(to, "z/deep/file", "x");
  Entry directory_entry = make_entry("z", EntryType::directory);
  directory_entry.mode = 0710;
  to.add(directory_entry);
  to.publish();
  CHECK(get(target / "b/link") == "x");
  CHECK(fs::hard_link_count(target / "z/deep/file") == 3);
  CHECK((fs::status(target / "z").permissions() & fs::perms::mask) == fs::perms(0710));
  const unsigned default_mode = static_cast<unsigned>(fs::status(target / "b").permissions());
  CHECK(static_cast<unsigned>(fs::status(target).permissions()) == default_mode);
}

TEST_CASE_FIXTURE(TreeFixture, "tree writer: many threads, and one file by many") {
  auto to = writer();
  std::string text(1 << 20, 'x');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i / 4096 % 26);
  auto large = to.begin_file(make_entry("large", EntryType::file, text.size()));
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < 100; ++i) add_file(to, "d" + std::to_string(i) + "/f" + std::to_string(t), "x");
        for (std::size_t at = t * 4096; at < text.size(); at += 4 * 4096) {
          large->write_at(at, as_bytes(std::string_view{text}.substr(at, 4096)));
        }
      });
    }
  }
  to.finish_file(std::move(large));
  to.publish();
  CHECK(get(target / "large") == text);
  CHECK(names_in(target / "d99") == std::vector<std::string>{"f0", "f1", "f2", "f3"});
}

TEST_CASE_FIXTURE(TreeFixture, "tree writer: hostile entries are damage") {
  fs::create_directories(directory.path() / "outside");
  auto to = writer();
  for (const std::string path : {"", "..", "../x", "a/../../x", "/etc/x", "a//b", "a/./b", "a/"}) {
    CAPTURE(path);
    CHECK(kind_of([&] { add_file(to, path, "x"); }) == ErrorKind::damaged);
    CHECK(kind_of([&] { add_directory(to, path); }) == ErrorKind::damaged);
  }
  CHECK(kind_of([&] { add_file(to, std::string("a\0b", 3), "x"); }) == ErrorKind::damaged);
  CHECK(kind_of([&] { add_file(to, std::string(256, 'x'), "x"); }) == ErrorKind::damaged);
  CHECK(kind_of([&] { add_file(to, ".", "x"); }) == ErrorKind::damaged);

  add_file(to, "file", "x");
  CHECK(kind_of([&] { add_file(to, "file", "y"); }) == ErrorKind::damaged);
  CHECK(kind_of([&] { add_directory(to, "file"); }) == ErrorKind::damaged);
  CHECK(kind_of([&] { add_file(to, "file/below", "x"); }) == ErrorKind::damaged);
  CHECK(kind_of([&] { add_directory(to, "file/a/b"); }) == ErrorKind::damaged);

  Entry link = make_entry("link", EntryType::symlink);
  link.link_target = (directory.path() / "outside").native();
  to.add(link);
  CHECK(kind_of([&] { add_file(to, "link/x", "x"); }) == ErrorKind::damaged);
  CHECK(kind_of([&] { add_directory(to, "link/x/y"); }) == ErrorKind::damaged);
  CHECK(kind_of([&] { add_directory(to, "link"); }) == ErrorKind::damaged);
  CHECK(names_in(directory.path() / "outside").empty());
  link.path = "link2";
  link.link_target = "";
  CHECK(kind_of([&] { to.add(link); }) == ErrorKind::damaged);

  add_directory(to, "dir");
  Entry hard = make_entry("hard", EntryType::hard_link);
  for (const std::string bad : {"..", "/etc/passwd", "../x", "dir", ".", "", "link/passwd", "file/x"}) {
    hard.link_target = bad;
    CAPTURE(bad);
    CHECK(kind_of([&] { to.add(hard); }) == ErrorKind::damaged);
  }
  auto file = to.begin_file(make_entry("short", EntryType::file, 3));
  CHECK(kind_of([&] { file->write_at(2, as_bytes("xy")); }) == ErrorKind::damaged);
  CHECK(kind_of([&] { file->write_at(UINT64_MAX, as_bytes("xy")); }) == ErrorKind::damaged);
  to.finish_file(std::move(file));

  SUBCASE("a directory twice") {
    add_directory(to, "dir");
    CHECK(kind_of([&] { to.publish(); }) == ErrorKind::damaged);
  }
  SUBCASE("a link to nothing, or to itself") {
    hard.link_target = "hard";
    to.add(hard);
    CHECK(kind_of([&] { to.publish(); }) == ErrorKind::damaged);
  }
  SUBCASE("a file that is not finished") {
    file = to.begin_file(make_entry("open", EntryType::file, 3));
    CHECK(kind_of([&] { to.publish(); }) == ErrorKind::failed);
  }
  CHECK_FALSE(fs::exists(target));
}

TEST_CASE_FIXTURE(TreeFixture, "tree writer: links to a device that may not be made are left out with it") {
  ::chmod(directory.path().c_str(), 0777);
  CHECK(as_nobody([&] {
    auto to = writer();
    add_file(to, "file", "x");
    Entry device = make_entry("lower/device", EntryType::char_device);
    device.device_major = 1;
    device.device_minor = 3;
    Entry link = make_entry("a-link", EntryType::hard_link);
    link.link_target = device.path;
    to.add(link);
    to.add(device);
    link.path = "z-link";
    to.add(link);
    to.publish();
    return to.skipped().devices() == 3 && notes.warnings.size() == 1 &&
           notes.warnings[0] == "3 device files could not be made: not permitted";
  }));
  CHECK(names_in(target) == std::vector<std::string>{"file", "lower"});
}

TEST_CASE_FIXTURE(TreeFixture, "tree writer: without privilege, what cannot be set is left out with one warning each") {
  ::chmod(directory.path().c_str(), 0777);
  CHECK(as_nobody([&] {
    auto to = writer();
    for (int i = 0; i < 3; ++i) {
      Entry file = make_entry("ro/file" + std::to_string(i), EntryType::file);
      file.uid = file.gid = 0;
      file.mode = 06755;
      file.xattrs = {{"trusted.x", "y"}};
      to.finish_file(to.begin_file(file));
    }
    Entry device = make_entry("device", EntryType::char_device);
    device.device_major = 1;
    device.device_minor = 3;
    to.add(device);
    Entry closed = make_entry("ro", EntryType::directory);
    closed.mode = 0555;
    to.add(closed);
    closed.path = ".";
    to.add(closed);
    to.publish();
    struct stat status {};
    return ::stat((target / "ro/file0").c_str(), &status) == 0 && (status.st_mode & 07777U) == 0755 &&
           ::stat((target / "ro").c_str(), &status) == 0 && (status.st_mode & 07777U) == 0555 &&
           notes.warnings.size() == (::geteuid() == 0 ? 1U : 3U) && to.skipped().all() >= 4;
  }));
  struct stat status {};
  REQUIRE(::stat(target.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0555);
  CHECK(names_in(directory.path()) == std::vector<std::string>{"target"});
  // Again, into directories that are closed to writing: refused, and nothing is left behind.
  CHECK(as_nobody([&] {
    try {
      writer(Overwrite::yes);
    } catch (const Error& e) {
      return e.kind() == ErrorKind::failed && names_in(target).size() == 1;
    }
    return false;
  }));
}
