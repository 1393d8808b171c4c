#include "capture/directory_source.hpp"

#include "capture/file_kind.hpp"
#include "support/nobody.hpp"
#include "unit/support.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <fcntl.h>
#include <map>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

using namespace cairn;

namespace {

void put(const fs::path& path, std::string_view text) {
  const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write_all(fd.get(), as_bytes(text), path);
}

std::vector<SourceItem> walk(Source& source) {
  std::vector<SourceItem> items;
  while (auto item = source.next()) items.push_back(std::move(*item));
  for (std::size_t i = 1; i < items.size(); ++i) {
    CHECK(compare_paths(items[i - 1].entry.path, items[i].entry.path) < 0);
  }
  return items;
}

std::vector<std::string> paths_of(const DirectoryOptions& options) {
  DirectorySource source{options};
  std::vector<std::string> paths;
  for (const auto& item : walk(source)) paths.push_back(item.entry.path);
  CHECK(source.problems().empty());
  return paths;
}

const Entry& find(const std::vector<SourceItem>& items, const std::string& path) {
  const auto at = std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.entry.path == path; });
  REQUIRE_MESSAGE(at != items.end(), path);
  return at->entry;
}

SourceItem only(Source& source, const std::string& path) {
  while (auto item = source.next()) {
    if (item->entry.path == path) return std::move(*item);
  }
  FAIL("no entry " << path);
  return {};
}

struct Read {
  std::string data;  // holes left out
  std::vector<std::pair<std::uint64_t, std::uint64_t>> holes;
  std::uint64_t size = 0;
};

Read drain(Content& content, std::size_t buffer_size = 100000) {
  Read result;
  Bytes buffer(buffer_size);
  for (;;) {
    const auto piece = content.read(buffer);
    if (piece.kind == Content::Piece::Kind::end) return result;
    REQUIRE(piece.length > 0);
    if (piece.kind == Content::Piece::Kind::hole) {
      result.holes.emplace_back(result.size, result.size + piece.length);
    } else {
      REQUIRE(piece.length <= buffer.size());
      result.data += as_text(ByteView{buffer}.first(static_cast<std::size_t>(piece.length)));
    }
    result.size += piece.length;
  }
}

struct Fixture {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path root = directory.path() / "root";
  DirectoryOptions options;
  Fixture() {
    fs::create_directory(root);
    ::chmod(directory.path().c_str(), 0755);
    options.path = root;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "directory: the root comes first and a directory before what it holds") {
  fs::create_directories(root / "a/b");
  put(root / "a/b/c", "");
  put(root / "a-b", "");
  put(root / "a.txt", "");
  put(root / "B", "");
  CHECK(paths_of(options) == std::vector<std::string>{".", "B", "a", "a/b", "a/b/c", "a-b", "a.txt"});
  DirectorySource source{options};
  CHECK(source.location() == fs::canonical(root).native());
  CHECK(source.kind() == SourceKind::directory);
}

TEST_CASE_FIXTURE(Fixture, "directory: every kind of entry with its metadata") {
  put(root / "file", "content");
  ::chmod((root / "file").c_str(), 06751);
  const struct timespec times[2] = {{1000, 1}, {1234567890, 123456789}};
  ::utimensat(AT_FDCWD, (root / "file").c_str(), times, 0);
  const bool has_xattrs = ::setxattr((root / "file").c_str(), "user.b", "two", 3, 0) == 0 &&
                          ::setxattr((root / "file").c_str(), "user.a", "o\0ne", 4, 0) == 0 &&
                          ::setxattr((root / "file").c_str(), "user.empty", "", 0, 0) == 0;
  fs::create_symlink("../no/where", root / "link");
  REQUIRE(::mkfifo((root / "fifo").c_str(), 0620) == 0);
  {
    const UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (root / "socket").native().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  const bool has_devices = ::mknod((root / "char").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0 &&
                           ::mknod((root / "block").c_str(), S_IFBLK | 0600, makedev(7, 77)) == 0;
  fs::create_hard_link(root / "file", root / "same");
  if (::geteuid() == 0) REQUIRE(::lchown((root / "link").c_str(), 12345, 54321) == 0);

  DirectorySource source{options};
  const auto items = walk(source);
  CHECK(source.problems().empty());
  const Entry& file = find(items, "file");
  CHECK(file.type == EntryType::file);
  CHECK(file.mode == 06751);
  CHECK(file.size == 7);
  CHECK(format_time(file.mtime) == "2009-02-13T23:31:30.123456789Z");
  CHECK(file.inode != 0);
  CHECK(file.uid == ::geteuid());
  if (::geteuid() == 0) CHECK(file.user == "root");
  if (has_xattrs) {
    REQUIRE(file.xattrs.size() == 3);
    CHECK(file.xattrs[0] == Xattr{"user.a", std::string("o\0ne", 4)});
    CHECK(file.xattrs[1] == Xattr{"user.b", "two"});
    CHECK(file.xattrs[2] == Xattr{"user.empty", ""});
  }
  const Entry& link = find(items, "link");
  CHECK(link.type == EntryType::symlink);
  CHECK(link.link_target == "../no/where");
  if (::geteuid() == 0) {
    CHECK(link.uid == 12345);
    CHECK(link.gid == 54321);
    CHECK(link.user.empty());
    CHECK(link.group.empty());
  }
  CHECK(find(items, "fifo").type == EntryType::fifo);
  CHECK(find(items, "fifo").mode == (0620U & find(items, "fifo").mode));
  CHECK(find(items, "socket").type == EntryType::socket);
  if (has_devices) {
    CHECK(find(items, "char").type == EntryType::char_device);
    CHECK(find(items, "char").device_major == 1);
    CHECK(find(items, "char").device_minor == 3);
    CHECK(find(items, "block").type == EntryType::block_device);
    CHECK(find(items, "block").device_minor == 77);
  }
  const Entry& same = find(items, "same");
  CHECK(same.type == EntryType::hard_link);
  CHECK(same.link_target == "file");
  for (const auto& item : items) CHECK((item.content != nullptr) == (item.entry.type == EntryType::file));
}

TEST_CASE_FIXTURE(Fixture, "directory: access control lists are extended attributes") {
  put(root / "file", "");
  // Version 2; user::rw-, user:1234:r--, group::---, mask::r--, other::--- (linux/posix_acl_xattr.h).
  const unsigned char acl[] = {2, 0,   0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  4,
                               0, 210, 4,   0,   0,   4,   0,  0, 0,   255, 255, 255, 255, 16, 0,
                               4, 0,   255, 255, 255, 255, 32, 0, 0,   0,   255, 255, 255, 255};
  if (::setxattr((root / "file").c_str(), "system.posix_acl_access", acl, sizeof acl, 0) != 0) {
    MESSAGE("no ACLs on this file system");
    return;
  }
  ::setxattr(root.c_str(), "system.posix_acl_default", acl, sizeof acl, 0);
  DirectorySource source{options};
  const auto items = walk(source);
  REQUIRE(find(items, "file").xattrs.size() == 1);
  CHECK(find(items, "file").xattrs[0].name == "system.posix_acl_access");
  CHECK(find(items, "file").xattrs[0].value == std::string(reinterpret_cast<const char*>(acl), sizeof acl));
  REQUIRE(find(items, ".").xattrs.size() == 1);
  CHECK(find(items, ".").xattrs[0].name == "system.posix_acl_default");
}

TEST_CASE("directory: a list of attributes that names one twice names it once") {
  using namespace std::string_literals;
  CHECK(xattr_names("security.selinux\0user.b\0security.selinux\0user.a\0"s) ==
        std::vector<std::string>{"security.selinux", "user.a", "user.b"});
  CHECK(xattr_names("user.unended") == std::vector<std::string>{"user.unended"});
  CHECK(xattr_names("\0user.x\0\0"s) == std::vector<std::string>{"user.x"});
  CHECK(xattr_names("").empty());
  CHECK(xattr_names("trusted.SGI_ACL_FILE\0system.posix_acl_access\0trusted.SGI_ACL_DEFAULT\0trusted.x"s) ==
        std::vector<std::string>{"system.posix_acl_access", "trusted.x"});
}

TEST_CASE_FIXTURE(Fixture, "directory: names with newlines, of no encoding, and of 255 bytes") {
  const std::string longest(255, 'n');
  const std::vector<std::string> names{"\x01", "a\nb", longest, "\xff\xfe", "-rf *", "\xc3\xa9"};
  for (const auto& name : names) put(root / name, name);
  fs::create_directory(root / ("d" + longest.substr(1)));
  put(root / ("d" + longest.substr(1)) / longest, "x");
  const auto paths = paths_of(options);
  for (const auto& name : names) CHECK(std::count(paths.begin(), paths.end(), name) == 1);
  DirectorySource source{options};
  auto item = only(source, "a\nb");
  CHECK(drain(*item.content->open(item.entry)).data == "a\nb");
}

TEST_CASE_FIXTURE(Fixture, "directory: two thousand names of one file") {
  fs::create_directory(root / "sub");
  put(root / "sub/0000", "x");
  for (int i = 1; i < 2000; ++i) {
    fs::create_hard_link(root / "sub/0000", root / "sub" / (std::to_string(10000 + i)));
  }
  // A name outside the tree keeps the count above what the walk sees.
  fs::create_hard_link(root / "sub/0000", directory.path() / "outside");
  DirectorySource source{options};
  const auto items = walk(source);
  CHECK(items.size() == 2002);
  CHECK(std::count_if(items.begin(), items.end(), [](const auto& item) {
          return item.entry.type == EntryType::hard_link && item.entry.link_target == "sub/0000";
        }) == 1999);
  CHECK(DirectorySource{options}.estimate() <= 4096);
}

TEST_CASE_FIXTURE(Fixture, "directory: links are not followed, loops end") {
  fs::create_directory(root / "a");
  fs::create_symlink("..", root / "a/up");
  fs::create_symlink("self", root / "self");
  fs::create_symlink("/etc", root / "etc");
  CHECK(paths_of(options) == std::vector<std::string>{".", "a", "a/up", "etc", "self"});
  // A path that is itself a link is followed.
  fs::create_symlink(root, directory.path() / "alias");
  options.path = directory.path() / "alias";
  CHECK(paths_of(options).size() == 5);
  CHECK(DirectorySource{options}.location() == fs::canonical(root).native());
}

TEST_CASE_FIXTURE(Fixture, "directory: deeper than descriptors last") {
  fs::path deep = root;
  const UniqueFd top = open_file(root, O_RDONLY | O_DIRECTORY);
  UniqueFd at{::dup(top.get())};
  constexpr int k_depth = 400;
  for (int i = 0; i < k_depth; ++i) {
    REQUIRE(::mkdirat(at.get(), "twenty-characters-xx", 0755) == 0);
    // After coming back up there is more to find at every level.
    REQUIRE(::mkdirat(at.get(), "z", 0755) == 0);
    at = UniqueFd{::openat(at.get(), "twenty-characters-xx", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    REQUIRE(at);
  }
  const UniqueFd file{::openat(at.get(), "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644)};
  REQUIRE(::write(file.get(), "deep", 4) == 4);
  DirectorySource source{options};
  auto items = walk(source);
  CHECK(items.size() == 2 * k_depth + 2);
  CHECK(source.problems().empty());
  // Longer than PATH_MAX: no single system call takes this path.
  auto longest = std::max_element(items.begin(), items.end(), [](const auto& a, const auto& b) {
    return a.entry.path.size() < b.entry.path.size();
  });
  CHECK(longest->entry.path.size() > 4096);
  REQUIRE(longest->content);
  CHECK(drain(*longest->content->open(longest->entry)).data == "deep");

  options.include = {"file"};
  DirectorySource some{options};
  CHECK(walk(some).size() == k_depth + 2);
  CHECK(some.problems().empty());
}

TEST_CASE_FIXTURE(Fixture, "directory: exclude and include patterns") {
  fs::create_directories(root / "src/gen");
  fs::create_directories(root / "data/deep");
  fs::create_directories(root / "empty");
  put(root / "src/a.cpp", "");
  put(root / "src/gen/b.cpp", "");
  put(root / "data/deep/c.bin", "");
  put(root / "data/d.tmp", "");
  using Paths = std::vector<std::string>;
  SUBCASE("exclude") {
    options.exclude = {"*.tmp", "/src/gen/", "empty"};
    CHECK(paths_of(options) == Paths{".", "data", "data/deep", "data/deep/c.bin", "src", "src/a.cpp"});
  }
  SUBCASE("include a directory") {
    options.include = {"/data/"};
    CHECK(paths_of(options) == Paths{".", "data", "data/d.tmp", "data/deep", "data/deep/c.bin"});
  }
  SUBCASE("include files: only the directories on the way") {
    options.include = {"*.cpp"};
    CHECK(paths_of(options) == Paths{".", "src", "src/a.cpp", "src/gen", "src/gen/b.cpp"});
  }
  SUBCASE("exclude wins, and a negative pattern takes out again") {
    options.include = {"/data/", "*.cpp", "!b.cpp"};
    options.exclude = {"*.tmp"};
    CHECK(paths_of(options) == Paths{".", "data", "data/deep", "data/deep/c.bin", "src", "src/a.cpp"});
  }
}

TEST_CASE_FIXTURE(Fixture, "directory: tagged caches") {
  fs::create_directories(root / "cache/objects");
  fs::create_directories(root / "fake");
  put(root / "cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# made by a test\n");
  put(root / "cache/objects/x", "");
  put(root / "fake/CACHEDIR.TAG", "Signature: something else");
  put(root / "fake/x", "");
  CHECK(paths_of(options).size() == 8);
  options.exclude_caches = WalkOptions::ExcludeCaches::yes;
  CHECK(paths_of(options) ==
        std::vector<std::string>{".", "cache", "cache/CACHEDIR.TAG", "fake", "fake/CACHEDIR.TAG", "fake/x"});
}

TEST_CASE("directory: another file system is entered only if wanted") {
  // The kernel mounts several file systems here on every Linux.
  struct stat outer {};
  struct stat inner {};
  if (::stat("/dev", &outer) != 0 || ::stat("/dev/pts", &inner) != 0 || outer.st_dev == inner.st_dev) return;
  DirectoryOptions options;
  options.path = "/dev";
  options.one_file_system = WalkOptions::OneFileSystem::yes;
  options.include = {"/pts", "/pts/ptmx"};
  const auto paths = paths_of(options);
  CHECK(paths == std::vector<std::string>{".", "pts"});
  options.one_file_system = WalkOptions::OneFileSystem::no;
  const auto all = paths_of(options);
  CHECK(std::count(all.begin(), all.end(), "pts/ptmx") == 1);
}

TEST_CASE_FIXTURE(Fixture, "directory: a single file") {
  put(root / "one", "content");
  options.path = root / "one";
  DirectorySource source{options};
  CHECK(source.shape() == SourceShape::file);
  CHECK(source.estimate() > 0);
  auto items = walk(source);
  REQUIRE(items.size() == 1);
  CHECK(items[0].entry.path == "one");
  CHECK(items[0].entry.type == EntryType::file);
  CHECK(drain(*items[0].content->open(items[0].entry)).data == "content");
}

TEST_CASE_FIXTURE(Fixture, "directory: what is not there, or a device, is refused at once") {
  options.path = root / "missing";
  CHECK_THROWS_WITH_AS(DirectorySource{options}, doctest::Contains("No such file"), SourceError);
  options.path = "/dev/null";
  CHECK_THROWS_WITH_AS(DirectorySource{options}, doctest::Contains("it is a device"), SourceError);
}

TEST_CASE_FIXTURE(Fixture, "directory: what cannot be read is a problem, and the walk goes on") {
  fs::create_directories(root / "a-closed");
  put(root / "a-closed/x", "");
  put(root / "b-secret", "secret");
  put(root / "c", "open");
  ::chmod((root / "a-closed").c_str(), 0);
  ::chmod((root / "b-secret").c_str(), 0);
  CHECK(test::as_nobody([&] {
    DirectorySource source{options};
    std::vector<std::string> paths;
    std::string message;
    std::string data;
    while (auto item = source.next()) {
      paths.push_back(item->entry.path);
      if (!item->content) continue;
      try {
        data += drain(*item->content->open(item->entry)).data;
      } catch (const SourceError& e) {
        message = e.message();
      }
    }
    return paths == std::vector<std::string>{".", "a-closed", "b-secret", "c"} && source.problems().size() == 1 &&
           source.problems()[0].path == "a-closed" &&
           source.problems()[0].message.find("Permission denied") != std::string::npos &&
           message.find("b-secret': Permission denied") != std::string::npos && data == "open";
  }));
  ::chmod((root / "a-closed").c_str(), 0755);
}

TEST_CASE_FIXTURE(Fixture, "directory: what vanishes or is replaced after the walk") {
  put(root / "file", "x");
  DirectorySource source{options};
  auto item = only(source, "file");
  fs::remove(root / "file");
  try {
    item.content->open(item.entry);
    FAIL("opened a file that is not there");
  } catch (const SourceError& e) {
    CHECK(e.kind() == ErrorKind::not_found);
  }
  // A FIFO must not make the capture wait for a writer, a link must not lead it out of the tree.
  REQUIRE(::mkfifo((root / "file").c_str(), 0600) == 0);
  CHECK_THROWS_AS(item.content->open(item.entry), SourceError);
  fs::remove(root / "file");
  fs::create_symlink("/etc/passwd", root / "file");
  CHECK_THROWS_AS(item.content->open(item.entry), SourceError);
  fs::remove(root / "file");
  put(root / "file", "another, longer");
  const auto content = item.content->open(item.entry);
  CHECK(item.entry.size == 15);
  CHECK(drain(*content).data == "another, longer");
  CHECK(content->finish() == Content::Outcome::consistent);
}

TEST_CASE_FIXTURE(Fixture, "directory: a directory above a file replaced by a link is not followed") {
  fs::create_directories(root / "sub");
  put(root / "sub/file", "right");
  fs::create_directories(directory.path() / "elsewhere");
  put(directory.path() / "elsewhere/file", "wrong");
  DirectorySource source{options};
  auto item = only(source, "sub/file");
  fs::rename(root / "sub", root / "moved");
  fs::create_directory_symlink(directory.path() / "elsewhere", root / "sub");
  CHECK_THROWS_AS(item.content->open(item.entry), SourceError);
}

TEST_CASE_FIXTURE(Fixture, "directory: a file that changes while it is read is noticed") {
  put(root / "file", std::string(300000, 'a'));
  DirectorySource source{options};
  auto item = only(source, "file");
  const auto content = item.content->open(item.entry);
  Bytes buffer(1000);
  content->read(buffer);
  SUBCASE("appended: what was there at the beginning is read") {
    const UniqueFd fd = open_file(root / "file", O_WRONLY | O_APPEND);
    write_all(fd.get(), as_bytes("more"), root / "file");
    CHECK(drain(*content).size == 299000);
  }
  SUBCASE("shortened: the content ends") {
    fs::resize_file(root / "file", 500);
    CHECK(drain(*content).size == 0);
  }
  SUBCASE("touched") {
    const struct timespec times[2] = {{1, 0}, {2, 0}};
    ::utimensat(AT_FDCWD, (root / "file").c_str(), times, 0);
    drain(*content);
  }
  CHECK(content->finish() == Content::Outcome::changed);
  // Opened again it is one state.
  const auto again = item.content->open(item.entry);
  CHECK(drain(*again).size == item.entry.size);
  CHECK(again->finish() == Content::Outcome::consistent);
}

TEST_CASE_FIXTURE(Fixture, "directory: holes are rounded inwards and data comes whole") {
  const fs::path path = root / "sparse";
  {
    const UniqueFd fd = open_file(path, O_RDWR | O_CREAT, 0600);
    REQUIRE(::ftruncate(fd.get(), 1000000) == 0);
    write_at(fd.get(), as_bytes("A"), 0, path);
    write_at(fd.get(), as_bytes("B"), 20000, path);  // the hole before is smaller than a unit
    write_at(fd.get(), as_bytes("C"), 300000, path);
  }
  DirectorySource source{options};
  auto item = only(source, "sparse");
  const auto content = item.content->open(item.entry);
  const Read read = drain(*content, 30000);
  CHECK(read.size == 1000000);
  if (read.holes.empty()) {
    MESSAGE("no holes on this file system");
    return;
  }
  REQUIRE(read.holes.size() == 2);
  for (const auto& [begin, end] : read.holes) {
    CHECK(begin % 65536 == 0);
    CHECK((end % 65536 == 0 || end == 1000000));
  }
  CHECK(read.holes[0] == std::pair<std::uint64_t, std::uint64_t>{65536, 262144});
  CHECK(read.holes[1].second == 1000000);
  CHECK(read.data[0] == 'A');
  CHECK(read.data[20000] == 'B');
  CHECK(read.data[300000 - (262144 - 65536)] == 'C');
}

TEST_CASE_FIXTURE(Fixture, "directory: a sparse file of 20 GB takes neither time nor space") {
  constexpr std::uint64_t k_size = 20'000'000'001;
  const fs::path path = root / "huge";
  {
    const UniqueFd fd = open_file(path, O_RDWR | O_CREAT, 0600);
    if (::ftruncate(fd.get(), static_cast<off_t>(k_size)) != 0) return;
    write_at(fd.get(), as_bytes("middle"), 10'000'000'000, path);
  }
  CHECK(DirectorySource{options}.estimate() < 1000000);
  DirectorySource source{options};
  auto item = only(source, "huge");
  CHECK(item.entry.size == k_size);
  const auto content = item.content->open(item.entry);
  const Read read = drain(*content);
  CHECK(read.size == k_size);
  CHECK(read.holes.size() == 2);
  CHECK(read.data.size() <= 131072);
  CHECK(read.data.find("middle") != std::string::npos);
  CHECK(content->finish() == Content::Outcome::consistent);
}

TEST_CASE_FIXTURE(Fixture, "directory: what belongs to a database is no entry of its own") {
  using namespace std::string_literals;
  const std::string database = "SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20"s + std::string(4096 - 24, '\0');
  put(root / "app.db", database);
  put(root / "app.db-wal", "");
  put(root / "app.db-shm", "");
  put(root / "old.db", database);
  put(root / "old.db-journal", "");
  put(root / "notes", "text");
  put(root / "notes-journal", "about something else");
  put(root / "orphan-wal", "no database beside");
  put(root / "new.db", "");
  put(root / "new.db-wal", "\x37\x7f\x06\x82...");
  const auto paths = paths_of(options);
  CHECK(paths == std::vector<std::string>{".", "app.db", "new.db", "notes", "notes-journal", "old.db", "orphan-wal"});
  DirectorySource source{options};
  const auto items = walk(source);
  for (const auto& item : items) {
    if (item.content)
      CHECK(item.content->always_read() == (item.entry.path == "app.db" || item.entry.path == "new.db"));
  }
  // Excluding the database does not let its log in.
  options.exclude = {"*.db"};
  CHECK(paths_of(options) == std::vector<std::string>{".", "notes", "notes-journal", "orphan-wal"});
}

TEST_CASE_FIXTURE(Fixture, "directory: a log beside what is no database makes the snapshot incomplete") {
  put(root / "encrypted", std::string(4096, '\x5a'));
  put(root / "encrypted-wal", "frames");
  DirectorySource source{options};
  CHECK(walk(source).size() == 3);
  REQUIRE(source.problems().size() == 1);
  CHECK(source.problems()[0].path == "encrypted");
  options.path = root / "encrypted";
  DirectorySource single{options};
  CHECK(walk(single).size() == 1);
  CHECK(single.problems().size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "directory: reread asks for every file") {
  put(root / "file", "");
  CHECK_FALSE(only(*std::make_unique<DirectorySource>(options), "file").content->always_read());
  options.reread = DirectoryOptions::Reread::yes;
  CHECK(only(*std::make_unique<DirectorySource>(options), "file").content->always_read());
}

TEST_CASE_FIXTURE(Fixture, "directory: page files are cut at pages") {
  using namespace std::string_literals;
  std::string page(8192, '\0');
  page.replace(18, 2, "\x04\x20");
  put(root / "16384_fsm", page);
  put(root / "readme", page);
  DirectorySource source{options};
  for (auto& item : walk(source)) {
    if (!item.content) continue;
    const ChunkRule rule = item.content->open(item.entry)->rule();
    CHECK((rule.kind == ChunkRule::Kind::fixed) == (item.entry.path == "16384_fsm"));
  }
  const auto kind = [](std::string_view name, std::string_view head, std::uint64_t size) {
    return chunk_rule_for(name, as_bytes(head), size).kind;
  };
  for (const char* name : {"1", "1.2", "t3_17", "17_init", "17_vm.1"}) {
    CHECK(kind(name, page, 16384) == ChunkRule::Kind::fixed);
  }
  for (const char* name : {"", "t", "t3", "t_1", "1.", "1_", "1_fsmx", "1x", "PG_VERSION"}) {
    CHECK(kind(name, page, 16384) == ChunkRule::Kind::files);
  }
  CHECK(kind("1", page, 8191) == ChunkRule::Kind::files);
  CHECK(kind("1", "", 8192) == ChunkRule::Kind::files);
  std::string disk(4096, '\0');
  disk.replace(510, 2, "\x55\xaa");
  CHECK(kind("disk.img", disk, 1 << 20) == ChunkRule::Kind::fixed);
  CHECK(kind("small", disk, 4096) == ChunkRule::Kind::files);
  CHECK(kind("vm.qcow2", "QFI\xfb", 1 << 20) == ChunkRule::Kind::fixed);
}
