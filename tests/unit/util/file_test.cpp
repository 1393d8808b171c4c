#include "util/file.hpp"

#include "unit/support.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;
using test::failure_of;

namespace {

std::size_t count_names(const fs::path& directory) {
  std::size_t n = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    static_cast<void>(entry);
    ++n;
  }
  return n;
}

std::string content(const fs::path& path) {
  return std::string{as_text(read_file(path))};
}

}  // namespace

TEST_CASE("AtomicFile: nothing is there before commit, everything after") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "f";
  {
    AtomicFile file{path};
    file.write(as_bytes("hello "));
    file.write(as_bytes("world"));
    CHECK_FALSE(fs::exists(path));
    CHECK(file.commit());
  }
  CHECK(content(path) == "hello world");
  CHECK(count_names(directory.path()) == 1);
}

TEST_CASE("AtomicFile: one that is not committed leaves nothing, and the old file as it was") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "f";
  write_file_atomic(path, as_bytes("old"));
  {
    AtomicFile file{path};
    file.write(as_bytes("new"));
  }
  CHECK(content(path) == "old");
  CHECK(count_names(directory.path()) == 1);
}

TEST_CASE("AtomicFile: replaces, or with Replace::no leaves what is there") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "f";
  {
    AtomicFile file{path};
    file.write(as_bytes("first"));
    CHECK(file.commit(AtomicFile::Replace::no));
  }
  {
    AtomicFile file{path};
    file.write(as_bytes("second"));
    CHECK_FALSE(file.commit(AtomicFile::Replace::no));
  }
  CHECK(content(path) == "first");
  {
    AtomicFile file{path};
    file.write(as_bytes("third"));
    CHECK(file.commit());
  }
  CHECK(content(path) == "third");
  CHECK(count_names(directory.path()) == 1);
}

TEST_CASE("AtomicFile: mode, and a name too long for any suffix") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / std::string(255, 'n');
  write_file_atomic(path, as_bytes("x"), 0600);
  struct stat st {};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
}

TEST_CASE("AtomicFile: a failed commit reports the target and leaves nothing behind") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "d";
  fs::create_directories(path / "full");
  AtomicFile file{path};
  file.write(as_bytes("x"));
  CHECK(test::message_of([&] { file.commit(); }) ==
        "unable to create " + quote(path.native()) + ": " + errno_text(EISDIR));
  CHECK(count_names(directory.path()) == 1);
  CHECK(failure_of([&] { AtomicFile{directory.path() / "none" / "f"}; }) == ErrorKind::failed);
}

TEST_CASE("read_file: limits, absence, empty and special files") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "f";
  CHECK_FALSE(read_file_if_exists(path));
  CHECK_FALSE(read_file_if_exists(path / "below"));
  CHECK(test::message_of([&] { read_file(path); }) ==
        "unable to open " + quote(path.native()) + ": " + errno_text(ENOENT));
  write_file_atomic(path, {});
  CHECK(read_file(path).empty());
  CHECK(read_file(path, 0).empty());
  write_file_atomic(path, Bytes(1000, 'x'));
  CHECK(read_file(path, 1000).size() == 1000);
  CHECK(failure_of([&] { read_file(path, 999); }) == ErrorKind::failed);
  CHECK(failure_of([&] { read_file(directory.path()); }) == ErrorKind::failed);
  // stat says 0 bytes here.
  CHECK(read_file("/proc/self/status").size() > 100);
  CHECK(failure_of([&] { read_file("/proc/self/status", 10); }) == ErrorKind::failed);
}

TEST_CASE("read_at and write_at: any offset; short only at the end") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "f";
  const UniqueFd fd = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  write_at(fd.get(), as_bytes("world"), 6, path);
  write_at(fd.get(), as_bytes("hello "), 0, path);
  Bytes out(20);
  CHECK(read_at(fd.get(), out, 0, path) == 11);
  CHECK(as_text(ByteView{out}.first(11)) == "hello world");
  CHECK(read_at(fd.get(), out, 11, path) == 0);
  CHECK(read_at(fd.get(), out, 1000, path) == 0);
}

TEST_CASE("open_file: refusals name the path; UniqueFd closes") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "f";
  CHECK_FALSE(open_file_if_exists(path, O_RDONLY));
  int number = -1;
  {
    const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL);
    number = fd.get();
    CHECK((::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(::fcntl(number, F_GETFD) == -1);
  CHECK(test::message_of([&] { open_file(path, O_WRONLY | O_CREAT | O_EXCL); }) ==
        "unable to create " + quote(path.native()) + ": " + errno_text(EEXIST));
  UniqueFd first = open_file(path, O_RDONLY);
  UniqueFd second{std::move(first)};
  CHECK_FALSE(first);  // NOLINT(bugprone-use-after-move)
  CHECK(second);
}

TEST_CASE("make_directories: as deep as asked, again, and not over a file") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "a" / "b" / "c";
  make_directories(path, 0700);
  make_directories(path, 0700);
  CHECK(fs::is_directory(path));
  write_file_atomic(path / "f", as_bytes("x"));
  CHECK(failure_of([&] { make_directories(path / "f"); }) == ErrorKind::failed);
  CHECK(failure_of([&] { make_directories(path / "f" / "g"); }) == ErrorKind::failed);
}

TEST_CASE("TemporaryDirectory: private, and gone afterwards with all it holds") {
  fs::path path;
  {
    const TemporaryDirectory directory{fs::temp_directory_path()};
    path = directory.path();
    struct stat st {};
    REQUIRE(::stat(path.c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0700);
    make_directories(path / "x" / "y");
    write_file_atomic(path / "x" / "f", as_bytes("x"));
    CHECK(free_space(path) > 0);
  }
  CHECK_FALSE(fs::exists(path));
}
