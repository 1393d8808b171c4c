#include "util/open_directories.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;

namespace {

ino_t inode(int directory) {
  struct stat status {};
  REQUIRE(::fstat(directory, &status) == 0);
  return status.st_ino;
}

}  // namespace

TEST_CASE("open directories: the right one, however it was reached and however much was opened between") {
  const TemporaryDirectory root{fs::temp_directory_path()};
  const UniqueFd fd = open_file(root.path(), O_RDONLY | O_DIRECTORY);
  OpenDirectories open{fd.get()};
  std::vector<std::string> paths{"."};
  for (int i = 0; i < 40; ++i) {
    for (const char* below : {"", "/a", "/a/b", "/c"}) paths.push_back(std::to_string(i) + below);
  }
  for (const auto& path : paths) fs::create_directories(root.path() / path);
  for (const std::size_t step : {1U, 7U, 160U}) {
    for (std::size_t i = 0; i < 2 * paths.size(); ++i) {
      const std::string& path = paths[i * step % paths.size()];
      const auto directory = open.open(path);
      REQUIRE(directory);
      struct stat status {};
      REQUIRE(::stat((root.path() / path).c_str(), &status) == 0);
      CHECK(inode(directory->get()) == status.st_ino);
    }
  }
}

TEST_CASE("open directories: far below what a path may say at once") {
  const TemporaryDirectory root{fs::temp_directory_path()};
  const UniqueFd fd = open_file(root.path(), O_RDONLY | O_DIRECTORY);
  constexpr int k_depth = 3000;
  UniqueFd at{::dup(fd.get())};
  std::string path;
  for (int i = 0; i < k_depth; ++i) {
    REQUIRE(::mkdirat(at.get(), "d", 0700) == 0);
    at = UniqueFd{::openat(at.get(), "d", O_PATH | O_DIRECTORY)};
    REQUIRE(at);
    path += i == 0 ? "d" : "/d";
  }
  OpenDirectories open{fd.get()};
  for (int i = 0; i < 200; ++i) {
    const auto directory = open.open(path);
    REQUIRE(directory);
    if (i == 0) CHECK(inode(directory->get()) == inode(at.get()));
    path.resize(path.size() - 2);
  }
}

TEST_CASE("open directories: what is not there, is no directory or a link to one is refused, above and at the end") {
  const TemporaryDirectory root{fs::temp_directory_path()};
  const UniqueFd fd = open_file(root.path(), O_RDONLY | O_DIRECTORY);
  OpenDirectories open{fd.get()};
  fs::create_directories(root.path() / "a" / "b");
  fs::create_directory_symlink("a", root.path() / "link");
  write_file_atomic(root.path() / "file", {});
  const auto failure = [&](const char* path) {
    errno = 0;
    return open.open(path) ? 0 : errno;
  };
  CHECK(failure("a/b") == 0);
  CHECK(failure("none") == ENOENT);
  CHECK(failure("a/none/b") == ENOENT);
  for (const char* path : {"file", "file/b", "link", "link/b"}) {
    CAPTURE(path);
    const int error = failure(path);
    CHECK((error == ENOTDIR || error == ELOOP));
  }
  // A directory that was refused before and is there now is found.
  fs::create_directories(root.path() / "none");
  CHECK(failure("none") == 0);
}
