#include "util/held_files.hpp"

#include "util/file.hpp"
#include "util/own_directory.hpp"

#include <fcntl.h>
#include <set>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>

using namespace cairn;

TEST_CASE("held files: what another process has open, is in, and has mapped") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path path = directory.path() / "file";
  const fs::path mapped = directory.path() / "mapped";
  for (const fs::path& file : {path, mapped}) write_file_atomic(file, as_bytes("content"));
  int ready[2];
  int stop[2];
  REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(stop, O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(stop[1]);
    bool ok = ::chdir(directory.path().c_str()) == 0 && ::open("file", O_RDONLY) >= 0;
    const int fd = ::open("mapped", O_RDONLY);
    ok = ok && ::mmap(nullptr, 7, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED && ::close(fd) == 0;
    char byte = ok ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    while (::read(stop[0], &byte, 1) < 0) continue;
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  REQUIRE(byte == 'y');
  const auto found = [&](HeldKinds kinds, const fs::path& file) {
    const auto wanted = id_at(AT_FDCWD, file);
    std::set<HeldFile::How> how;
    for_each_held_file(kinds, [&](const HeldFile& held) {
      if (held.file == wanted && held.pid == child) how.insert(held.how);
    });
    return how;
  };
  using How = HeldFile::How;
  CHECK(found(HeldKinds::all, path) == std::set{How::open});
  CHECK(found(HeldKinds::open, path) == std::set{How::open});
  CHECK(found(HeldKinds::all, directory.path()) == std::set{How::working_directory});
  CHECK(found(HeldKinds::open, directory.path()).empty());
  // Who is not root may not be allowed to see memory maps.
  if (::geteuid() == 0) CHECK(found(HeldKinds::all, mapped) == std::set{How::mapped});
  CHECK(describe_process(child).starts_with("process " + std::to_string(child) + " ("));
  ::close(stop[1]);
  ::waitpid(child, nullptr, 0);
  CHECK(found(HeldKinds::all, path).empty());
  CHECK(describe_process(child) == "process " + std::to_string(child));
  for (const int fd : {ready[0], ready[1], stop[0]}) ::close(fd);
}
