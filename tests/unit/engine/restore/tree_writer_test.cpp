#include "engine/restore/tree_writer.hpp"

#include "capture/directory_source.hpp"
#include "engine/restore/database_in_use.hpp"
#include "unit/support.hpp"
#include "util/error.hpp"
#include "util/process.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sched.h>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

using namespace cairn;

namespace {

using Shape = RestoreTarget::Shape;
using Overwrite = RestoreTarget::Overwrite;

class Notes : public Reporter {
 public:
  void warning(const std::string& message) override { warnings.push_back(message); }
  void info(const std::string&) override {}
  void progress(const char*, std::uint64_t, std::uint64_t) override {}
  std::vector<std::string> warnings;
};

void put(const fs::path& path, std::string_view text) {
  const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write_all(fd.get(), as_bytes(text), path);
}

std::string get(const fs::path& path) {
  const Bytes bytes = read_file(path);
  return std::string{as_text(bytes)};
}

Entry make_entry(std::string path, EntryType type, std::uint64_t size = 0) {
  Entry entry;
  entry.path = std::move(path);
  entry.type = type;
  entry.mode = type == EntryType::directory ? 0755 : 0644;
  entry.uid = ::geteuid();
  entry.gid = ::getegid();
  entry.size = size;
  return entry;
}

void add_file(TreeWriter& writer, const std::string& path, std::string_view text) {
  auto file = writer.begin_file(make_entry(path, EntryType::file, text.size()));
  file->write_at(0, as_bytes(text));
  writer.finish_file(std::move(file));
}

void add_directory(TreeWriter& writer, const std::string& path) {
  writer.add(make_entry(path, EntryType::directory));
}

// What a snapshot and a restore do to the tree, without the store in between.
void copy_into(Source& source, TreeWriter& writer) {
  Bytes buffer(200000);
  while (auto item = source.next()) {
    if (!item->content) {
      writer.add(item->entry);
      continue;
    }
    const auto content = item->content->open(item->entry);
    auto file = writer.begin_file(item->entry);
    std::uint64_t offset = 0;
    for (;;) {
      const auto piece = content->read(buffer);
      if (piece.kind == Content::Piece::Kind::end) break;
      if (piece.kind == Content::Piece::Kind::data) {
        file->write_at(offset, ByteView{buffer}.first(static_cast<std::size_t>(piece.length)));
      }
      offset += piece.length;
    }
    CHECK(content->finish() == Content::Outcome::consistent);
    writer.finish_file(std::move(file));
  }
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& item : fs::directory_iterator(directory)) names.push_back(item.path().filename().native());
  std::sort(names.begin(), names.end());
  return names;
}

template <class F>
ErrorKind kind_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    CHECK_FALSE(e.message().empty());
    return e.kind();
  }
  FAIL("nothing was thrown");
  return ErrorKind::failed;
}

struct Fixture {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path source = directory.path() / "source";
  fs::path target = directory.path() / "target";
  Notes notes;

  TreeWriter writer(Overwrite overwrite = Overwrite::no, Shape shape = Shape::tree) {
    return TreeWriter{RestoreTarget{target, shape, overwrite}, notes};
  }
  void copy(Overwrite overwrite = Overwrite::no) {
    DirectoryOptions options;
    options.path = source;
    DirectorySource from{options};
    TreeWriter to = writer(overwrite);
    copy_into(from, to);
    to.publish();
    CHECK(from.problems().empty());
  }
  // Fully compared by a program that shares nothing with this one.
  void check_same() const {
    Pipeline rsync{{{"sh", "-c",
                     "command -v rsync >/dev/null || exit 0; rsync -aHAXnc -@-1 --numeric-ids --delete "
                     "--itemize-changes \"$1\"/ \"$2\"/",
                     "sh", source.native(), target.native()}}};
    Bytes buffer(100000);
    const std::size_t n = rsync.read(buffer);
    CHECK(as_text(ByteView{buffer}.first(n)) == "");
    CHECK(rsync.wait()[0].ok());
  }
};

// Another process with a database open, until it is destroyed.
class OtherProcess {
 public:
  OtherProcess(const fs::path& database, const std::string& sql) {
    int ready[2];
    int stop[2];
    REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(stop, O_CLOEXEC) == 0);
    m_pid = ::fork();
    REQUIRE(m_pid >= 0);
    if (m_pid == 0) {
      ::close(stop[1]);
      sqlite3* connection = nullptr;
      const bool ok = sqlite3_open(database.c_str(), &connection) == SQLITE_OK &&
                      sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
      char byte = ok ? 'y' : 'n';
      if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
      while (::read(stop[0], &byte, 1) < 0) continue;
      ::_exit(0);
    }
    ::close(ready[1]);
    ::close(stop[0]);
    m_stop = UniqueFd{stop[1]};
    const UniqueFd in{ready[0]};
    char byte = 0;
    REQUIRE(::read(in.get(), &byte, 1) == 1);
    REQUIRE(byte == 'y');
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() {
    m_stop.reset();
    ::waitpid(m_pid, nullptr, 0);
  }

 private:
  pid_t m_pid = -1;
  UniqueFd m_stop;
};

// A closed database; journal mode "wal" or "delete".
void make_database(const fs::path& path, const std::string& mode) {
  sqlite3* connection = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &connection) == SQLITE_OK);
  const std::string sql = "PRAGMA journal_mode=" + mode + "; CREATE TABLE t(a); INSERT INTO t VALUES (1)";
  REQUIRE(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(connection);
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "tree writer: a tree with every kind of entry comes back as it was") {
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

TEST_CASE_FIXTURE(Fixture, "tree writer: two thousand names of one file") {
  fs::create_directories(source / "sub");
  put(source / "sub/first", "x");
  for (int i = 0; i < 1999; ++i) fs::create_hard_link(source / "sub/first", source / ("n" + std::to_string(i)));
  copy();
  CHECK(fs::hard_link_count(target / "n0") == 2000);
  check_same();
}

TEST_CASE_FIXTURE(Fixture, "tree writer: what is not written is a hole") {
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

TEST_CASE_FIXTURE(Fixture, "tree writer: deeper than PATH_MAX") {
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

TEST_CASE_FIXTURE(Fixture, "tree writer: nothing is at the target before publish, and nothing anywhere without it") {
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

TEST_CASE_FIXTURE(Fixture, "tree writer: what a killed restore left is removed, what another one uses is not") {
  fs::create_directories(directory.path() / ".cairn-restore-0123456789abcdef/sub");
  fs::create_directories(directory.path() / ".cairn-restore-alive");
  const UniqueFd alive = open_file(directory.path() / ".cairn-restore-alive", O_RDONLY | O_DIRECTORY);
  REQUIRE(::flock(alive.get(), LOCK_EX) == 0);
  auto to = writer();
  const auto names = names_in(directory.path());
  CHECK(names.size() == 2);
  CHECK(std::count(names.begin(), names.end(), ".cairn-restore-alive") == 1);
  CHECK(std::count(names.begin(), names.end(), ".cairn-restore-0123456789abcdef") == 0);
  // Nor does it make a target count as full.
  fs::create_directories(target / ".cairn-restore-0123456789abcdef");
  CHECK_NOTHROW(RestoreTarget(target, Shape::tree, Overwrite::no));
}

TEST_CASE_FIXTURE(Fixture, "tree writer: any order, directories as needed") {
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

TEST_CASE_FIXTURE(Fixture, "tree writer: many threads, and one file by many") {
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

TEST_CASE_FIXTURE(Fixture, "tree writer: merging leaves alone what the snapshot does not have") {
  fs::create_directories(target / "both/mine");
  put(target / "both/kept", "kept");
  put(target / "both/replaced", "old");
  fs::create_symlink("/etc", target / "both/link");
  auto to = writer(Overwrite::yes);
  add_directory(to, ".");
  add_directory(to, "both");
  add_file(to, "both/link", "a file where a link was");
  add_file(to, "both/replaced", "new");
  add_directory(to, "new");
  add_file(to, "new/file", "x");
  to.publish();
  CHECK(names_in(target) == std::vector<std::string>{"both", "new"});
  CHECK(names_in(target / "both") == std::vector<std::string>{"kept", "link", "mine", "replaced"});
  CHECK(get(target / "both/kept") == "kept");
  CHECK(get(target / "both/replaced") == "new");
  CHECK(fs::is_regular_file(fs::symlink_status(target / "both/link")));
  CHECK(format_time(Time{}) == "1970-01-01T00:00:00.000000000Z");
  struct stat status {};
  REQUIRE(::stat(target.c_str(), &status) == 0);
  CHECK(status.st_mtim.tv_sec == 0);
}

TEST_CASE_FIXTURE(Fixture, "restore target: refusals by what is there") {
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

TEST_CASE_FIXTURE(Fixture, "restore target: a link that the user names is followed") {
  fs::create_directory(directory.path() / "real");
  fs::create_symlink("real", target);
  auto to = writer();
  add_file(to, "file", "x");
  to.publish();
  CHECK(fs::is_symlink(target));
  CHECK(names_in(directory.path() / "real") == std::vector<std::string>{"file"});
}

TEST_CASE_FIXTURE(Fixture, "tree writer: conflicts at the target are refused before anything is touched") {
  fs::create_directories(target / "dir");
  fs::create_directories(directory.path() / "outside");
  put(target / "file", "old");
  fs::create_symlink(directory.path() / "outside", target / "link");
  auto to = writer(Overwrite::yes);
  CHECK(kind_of([&] { add_file(to, "dir", "x"); }) == ErrorKind::usage);
  CHECK(kind_of([&] { add_directory(to, "file"); }) == ErrorKind::usage);
  CHECK(kind_of([&] { add_file(to, "file/below", "x"); }) == ErrorKind::usage);
  // A link to a directory is no directory: following it would lead out of the target.
  CHECK(kind_of([&] { add_directory(to, "link"); }) == ErrorKind::usage);
  CHECK(kind_of([&] { add_file(to, "link/below", "x"); }) == ErrorKind::usage);
  CHECK(names_in(directory.path() / "outside").empty());

  SUBCASE("also what came there after the entry was accepted") {
    add_file(to, "a", "new");
    add_file(to, "sub/b", "new");
    put(target / "a", "old");
    put(target / "sub", "in the way");
    CHECK(kind_of([&] { to.publish(); }) == ErrorKind::usage);
    CHECK(get(target / "a") == "old");
  }
}

TEST_CASE_FIXTURE(Fixture, "tree writer: a target that comes into being meanwhile is not replaced") {
  auto to = writer();
  add_file(to, "file", "x");
  fs::create_directory(target);
  put(target / "mine", "");
  CHECK(kind_of([&] { to.publish(); }) == ErrorKind::usage);
  CHECK(names_in(target) == std::vector<std::string>{"mine"});
  fs::remove_all(target);
  auto single = writer(Overwrite::no, Shape::single_file);
  add_file(single, "file", "x");
  put(target, "mine");
  CHECK(kind_of([&] { single.publish(); }) == ErrorKind::usage);
  CHECK(get(target) == "mine");
}

TEST_CASE_FIXTURE(Fixture, "tree writer: hostile entries are damage") {
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

TEST_CASE_FIXTURE(Fixture, "tree writer: one file") {
  put(directory.path() / "neighbour", "mine");
  target = directory.path() / std::string(255, 't');
  SUBCASE("new") {
    auto to = writer(Overwrite::no, Shape::single_file);
    add_file(to, "name-in-the-snapshot", "content");
    to.publish();
    CHECK(get(target) == "content");
    CHECK(names_in(directory.path()).size() == 2);
  }
  SUBCASE("in place of another") {
    put(target, "old");
    auto to = writer(Overwrite::yes, Shape::single_file);
    add_file(to, "name-in-the-snapshot", "content");
    to.publish();
    CHECK(get(target) == "content");
    CHECK(names_in(directory.path()).size() == 2);
  }
  SUBCASE("in new directories") {
    target = directory.path() / "a/b/c";
    auto to = writer(Overwrite::no, Shape::single_file);
    add_file(to, "x", "content");
    to.publish();
    CHECK(get(target) == "content");
  }
  SUBCASE("is one file, no more and no less") {
    target = directory.path() / "other";
    auto to = writer(Overwrite::no, Shape::single_file);
    CHECK(kind_of([&] { to.publish(); }) == ErrorKind::damaged);
    CHECK(kind_of([&] { add_directory(to, "."); }) == ErrorKind::damaged);
    add_file(to, "one", "");
    CHECK(kind_of([&] { add_file(to, "two", ""); }) == ErrorKind::damaged);
  }
}

TEST_CASE_FIXTURE(Fixture, "tree writer: old logs beside a restored database are set aside") {
  make_database(directory.path() / "image", "delete");
  const std::string image = get(directory.path() / "image");
  const std::string log = std::string("\x37\x7f\x06\x82", 4) + "frames of a life before";
  const auto asides = [&](const fs::path& where) {
    auto names = names_in(where);
    std::erase_if(names, [](const std::string& name) { return name.find(".cairn-aside-") == std::string::npos; });
    return names.size();
  };
  SUBCASE("in a tree, whether the database is still there or not") {
    fs::create_directory(target);
    put(target / "app.db-wal", log);
    put(target / "app.db-shm", "index");
    put(target / "app.db-journal", "");
    put(target / "notes", "text");
    put(target / "notes-journal", "of mine");
    put(target / "encrypted-wal", log);
    put(target / "kept-wal", "old");
    auto to = writer(Overwrite::yes);
    add_file(to, "app.db", image);
    add_file(to, "notes", "new text");
    add_file(to, "encrypted", "no magic");
    add_file(to, "kept", "no magic either");
    add_file(to, "kept-wal", "new");
    to.publish();
    CHECK(asides(target) == 4);
    CHECK_FALSE(fs::exists(target / "app.db-wal"));
    CHECK(fs::exists(target / "notes-journal"));
    CHECK_FALSE(fs::exists(target / "encrypted-wal"));
    CHECK(get(target / "kept-wal") == "new");
    CHECK(notes.warnings.size() == 4);
  }
  SUBCASE("beside one file, with names that leave no room") {
    target = directory.path() / std::string(251, 'd');
    put(target.native() + "-wal", log);
    auto to = writer(Overwrite::no, Shape::single_file);
    add_file(to, "app.db", image);
    to.publish();
    CHECK(asides(directory.path()) == 1);
    CHECK_FALSE(fs::exists(target.native() + "-wal"));
    CHECK(get(target) == image);
  }
}

TEST_CASE_FIXTURE(Fixture, "tree writer: where a database cannot be replaced, its logs keep their names") {
  if (::geteuid() != 0) return;
  // In a directory like /tmp everybody may rename what is his, and nobody what is another's.
  fs::create_directory(target);
  ::chmod(target.c_str(), 01777);
  ::chmod(directory.path().c_str(), 0755);
  const fs::path database = target / "app.db";
  make_database(database, "delete");
  const std::string image = get(database);
  for (const char* suffix : {"-wal", "-shm"}) {
    put(database.native() + suffix, suffix);
    REQUIRE(::chown((database.native() + suffix).c_str(), 65534, 65534) == 0);
  }
  const auto publish = [&](const fs::path& to_path, Shape shape) {
    return test::as_nobody([&] {
      TreeWriter to{RestoreTarget{to_path, shape, Overwrite::yes}, notes};
      add_file(to, "app.db", image);
      try {
        to.publish();
      } catch (const Error& e) {
        return e.message().find("Operation not permitted") != std::string::npos && notes.warnings.empty();
      }
      return false;
    });
  };
  SUBCASE("in a tree") {
    CHECK(publish(target, Shape::tree));
  }
  SUBCASE("alone") {
    CHECK(publish(database, Shape::single_file));
  }
  CHECK(names_in(target) == std::vector<std::string>{"app.db", "app.db-shm", "app.db-wal"});
  CHECK(get(database.native() + "-wal") == "-wal");
  CHECK(get(database.native() + "-shm") == "-shm");
}

TEST_CASE_FIXTURE(Fixture, "restore target: what is mounted inside is refused before anything is touched") {
  fs::create_directories(target / "dir/below");
  fs::create_directories(directory.path() / "elsewhere/below");
  put(target / "file", "old");
  put(directory.path() / "other", "mounted");
  const auto refused = [&](const std::string& path, EntryType type) {
    const RestoreTarget tree{target, Shape::tree, Overwrite::yes};
    return test::failure_of([&] { tree.check_entry(make_entry(path, type)); }) == ErrorKind::failed;
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
    return test::failure_of([&] { single.check_entry(make_entry("any", EntryType::file)); }) == ErrorKind::failed;
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
    return test::failure_of([&] { to.publish(); }) == ErrorKind::failed && !fs::exists(target / "a");
  }));
  CHECK_FALSE(refused("dir", EntryType::directory));
  CHECK_FALSE(refused("file", EntryType::file));
}

TEST_CASE_FIXTURE(Fixture, "restore target: a subvolume is elsewhere, the file of another layer is not") {
  const SeenThere root{S_IFDIR | 0755, {true, 7}, 50};
  const auto refused = [&](const SeenThere& there) {
    return test::message_of([&] { require_within_reach(there, root, "/srv/x"); });
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

TEST_CASE_FIXTURE(Fixture, "tree writer: a database that is open is not replaced") {
  fs::create_directory(target);
  for (const std::string mode : {"wal", "delete"}) {
    CAPTURE(mode);
    const fs::path database = target / (mode + ".db");
    make_database(database, mode);
    const UniqueFd where = open_file(target, O_RDONLY | O_DIRECTORY);
    CHECK_FALSE(find_database_user(where.get(), mode + ".db"));
    auto to = writer(Overwrite::yes);
    add_file(to, mode + ".db", "accepted while it was closed");
    {
      // In rollback mode an idle connection holds no lock; only /proc shows it.
      const OtherProcess other{database, "SELECT * FROM t"};
      CHECK(find_database_user(where.get(), mode + ".db"));
      auto second = writer(Overwrite::yes);
      CHECK(kind_of([&] { add_file(second, mode + ".db", "x"); }) == ErrorKind::busy);
      CHECK(kind_of([&] { to.publish(); }) == ErrorKind::busy);
      const RestoreTarget single{database, Shape::single_file, Overwrite::yes};
      CHECK(kind_of([&] { single.check_entry(make_entry("any", EntryType::file)); }) == ErrorKind::busy);
    }
    CHECK(is_sqlite_file(where.get(), mode + ".db"));
    auto third = writer(Overwrite::yes);
    add_file(third, mode + ".db", "x");
    third.publish();
    CHECK(get(database) == "x");
  }
  make_database(target / "locked.db", "delete");
  const OtherProcess other{target / "locked.db", "BEGIN IMMEDIATE"};
  const UniqueFd where = open_file(target, O_RDONLY | O_DIRECTORY);
  CHECK(find_database_user(where.get(), "locked.db"));
}

TEST_CASE_FIXTURE(Fixture, "tree writer: links to a device that may not be made are left out with it") {
  ::chmod(directory.path().c_str(), 0777);
  CHECK(test::as_nobody([&] {
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
    return to.skipped_devices() == 3 && notes.warnings.size() == 1 &&
           notes.warnings[0] == "3 devices could not be made: not permitted";
  }));
  CHECK(names_in(target) == std::vector<std::string>{"file", "lower"});
}

TEST_CASE_FIXTURE(Fixture, "tree writer: without privilege, what cannot be set is left out with one warning each") {
  ::chmod(directory.path().c_str(), 0777);
  CHECK(test::as_nobody([&] {
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
           notes.warnings.size() == (::geteuid() == 0 ? 1U : 3U) && to.skipped() >= 4;
  }));
  struct stat status {};
  REQUIRE(::stat(target.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0555);
  CHECK(names_in(directory.path()) == std::vector<std::string>{"target"});
  // Again, into directories that are closed to writing: refused, and nothing is left behind.
  CHECK(test::as_nobody([&] {
    try {
      writer(Overwrite::yes);
    } catch (const Error& e) {
      return e.kind() == ErrorKind::failed && names_in(target).size() == 1;
    }
    return false;
  }));
}

// What other users can do to names while root restores, at the points where a test can; tests/acceptance/swaps.py does
// it before every single system call.
TEST_CASE_FIXTURE(Fixture, "tree writer: a link that comes to be where a parent is to be made is not followed") {
  fs::create_directory(directory.path() / "outside");
  target = directory.path() / "new/target";
  Shape shape = Shape::tree;
  SUBCASE("of a tree") {}
  SUBCASE("of a single file") {
    shape = Shape::single_file;
  }
  auto to = writer(Overwrite::no, shape);
  add_file(to, "file", "x");
  fs::create_directory_symlink("outside", directory.path() / "new");
  CHECK(kind_of([&] { to.publish(); }) == ErrorKind::failed);
  CHECK(fs::is_empty(directory.path() / "outside"));
}

TEST_CASE_FIXTURE(Fixture, "tree writer: the target's directory stays the one that was named") {
  fs::create_directories(directory.path() / "place");
  fs::create_directory(directory.path() / "outside");
  target = directory.path() / "place/target";
  for (const Shape shape : {Shape::single_file, Shape::tree}) {
    auto to = writer(Overwrite::no, shape);
    add_file(to, "file", "x");
    fs::rename(directory.path() / "place", directory.path() / "moved");
    fs::create_directory_symlink("outside", directory.path() / "place");
    to.publish();
    CHECK(fs::is_empty(directory.path() / "outside"));
    CHECK(names_in(directory.path() / "moved") == std::vector<std::string>{"target"});
    fs::remove(directory.path() / "place");
    fs::remove_all(directory.path() / "moved/target");
    fs::rename(directory.path() / "moved", directory.path() / "place");
  }
}

TEST_CASE_FIXTURE(Fixture, "tree writer: what took the place of staging is neither published nor removed") {
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

TEST_CASE_FIXTURE(Fixture, "tree writer: a directory that was renamed to look like staging is not removed") {
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

TEST_CASE_FIXTURE(Fixture, "tree writer: root gives no directory of its own to who may have given it the name") {
  if (::geteuid() != 0) return;
  constexpr uid_t k_other = 12345;
  fs::create_directories(target / "sub");
  put(target / "sub/secret", "root's");
  REQUIRE(::chmod((target / "sub").c_str(), 0700) == 0);
  REQUIRE(::chown(target.c_str(), k_other, k_other) == 0);
  auto entry = make_entry("sub", EntryType::directory);
  entry.uid = entry.gid = k_other;
  SUBCASE("refused when it is met") {
    auto to = writer(Overwrite::yes);
    CHECK(kind_of([&] { to.add(entry); }) == ErrorKind::usage);
  }
  SUBCASE("refused before anything is moved, where it came meanwhile") {
    fs::rename(target / "sub", target / "away");
    auto to = writer(Overwrite::yes);
    to.add(entry);
    add_file(to, "file", "x");
    fs::rename(target / "away", target / "sub");
    CHECK(kind_of([&] { to.publish(); }) == ErrorKind::usage);
    CHECK_FALSE(fs::exists(target / "file"));
  }
  SUBCASE("as in the snapshot it is root's") {
    auto to = writer(Overwrite::yes);
    add_directory(to, "sub");
    add_file(to, "sub/file", "x");
    to.publish();
    CHECK(get(target / "sub/file") == "x");
  }
  struct stat status {};
  REQUIRE(::stat((target / "sub").c_str(), &status) == 0);
  CHECK(status.st_uid == 0);
  CHECK(get(target / "sub/secret") == "root's");
}
