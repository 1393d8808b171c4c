#include "engine/restore/local_files.hpp"

#include "support/content.hpp"
#include "unit/support.hpp"

#include <fcntl.h>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace cairn;
using test::write;

namespace {

FileStamp stamp_at(const fs::path& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return stamp_of(status);
}

}  // namespace

TEST_CASE("local files: each comes back as it was put, from memory and from disk") {
  TemporaryDirectory directory{fs::temp_directory_path()};
  auto roots = std::make_shared<LocalRoots>();
  roots->push_back({LocalRoot::Kind::target, {}, "/target"});
  roots->push_back({LocalRoot::Kind::seed, {}, "/seed"});
  LocalFiles files{roots, directory.path()};
  struct One {
    std::size_t root;
    std::string path;
    FileStamp stamp;
    LocalFiles::Id id;
  };
  std::vector<One> all;
  // More than stays in memory.
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const auto time = static_cast<std::int64_t>(i) - 1500;
    One one{i % 2,
            std::string(i % 4000, 'd') + "/\n\xff" + std::to_string(i),
            {{i, UINT64_MAX - i}, i << 40, time, -time},
            0};
    one.id = files.add(one.root, one.path, one.stamp);
    all.push_back(one);
  }
  for (std::size_t i = all.size(); i-- > 0;) {
    const LocalFile file = files.get(all[i].id);
    REQUIRE(file.root == &files.roots()[all[i].root]);
    REQUIRE(file.path == all[i].path);
    REQUIRE(file.stamp == all[i].stamp);
  }
  CHECK(files.get(all[1].id).shown() == "/seed/" + all[1].path);
}

TEST_CASE("local files: a stamp is another once the file was written, linked, renamed, touched or replaced") {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::create_directories(directory.path() / "a" / "b");
  const fs::path path = directory.path() / "a" / "b" / "file";
  write(path, "content");
  const LocalRoot root{LocalRoot::Kind::seed, open_file(directory.path(), O_RDONLY | O_DIRECTORY), "seed"};
  const LocalFile file{&root, "a/b/file", stamp_at(path)};
  CHECK(stamp_now(file) == file.stamp);
  // A change within one step of the clock would have the same time.
  const struct timespec step = {0, 30'000'000};
  ::nanosleep(&step, nullptr);
  SUBCASE("written") {
    write(path, "Content");
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0);
    CHECK(stamp_now(file) != file.stamp);
  }
  SUBCASE("linked") {
    fs::create_hard_link(path, directory.path() / "link");
    CHECK(stamp_now(file) != file.stamp);
  }
  SUBCASE("replaced, and all times are put back") {
    write(directory.path() / "other", "content");
    const struct timespec times[2] = {{0, UTIME_OMIT},
                                      {file.stamp.mtime / 1'000'000'000, file.stamp.mtime % 1'000'000'000}};
    fs::rename(directory.path() / "other", path);
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    CHECK(stamp_now(file) != file.stamp);
  }
  SUBCASE("gone") {
    fs::remove(path);
    CHECK_THROWS_AS(stamp_now(file), LocalChanged);
  }
  SUBCASE("behind a link") {
    fs::rename(directory.path() / "a", directory.path() / "away");
    fs::create_directory_symlink("away", directory.path() / "a");
    CHECK_THROWS_AS(stamp_now(file), LocalChanged);
  }
}
