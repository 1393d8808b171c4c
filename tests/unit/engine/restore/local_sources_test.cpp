#include "engine/restore/local_sources.hpp"

#include "engine/restore/apply_metadata.hpp"
#include "support/content.hpp"
#include "unit/support.hpp"

#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>

using namespace cairn;
using test::write;

namespace {

constexpr uid_t k_other = 12345;

struct Sources {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path target = directory.path() / "target";
  fs::path seed = directory.path() / "seed";
  LocalPlaces places;
  ThreadPool pool{2};
  std::unique_ptr<LocalFiles> files;

  Sources() {
    fs::create_directories(target / "dir");
    fs::create_directories(seed / "dir");
  }
  static Entry entry(const std::string& path, std::uint64_t size = 4) {
    Entry file;
    file.path = path;
    file.size = size;
    file.mode = 0644;
    file.uid = ::geteuid();
    file.gid = ::getegid();
    return file;
  }
  void add_target() { places.add_target({target, RestoreTarget::Shape::tree, RestoreTarget::Overwrite::in_place}); }
  // Where the file would be looked for, in this order.
  std::vector<std::string> find(const Entry& file, const std::string& single = {}, const std::string& name = {}) {
    const auto found = look(file, single, name);
    std::vector<std::string> shown;
    if (!found) return shown;
    for (const auto& candidate : found->candidates()) {
      shown.push_back(fs::path{candidate.shown}.lexically_relative(fs::canonical(directory.path())).native() +
                      (candidate.at_offsets ? "" : " (anywhere)"));
    }
    return shown;
  }
  std::shared_ptr<LocalContent> look(const Entry& file, const std::string& single = {}, const std::string& name = {}) {
    files = std::make_unique<LocalFiles>(places.roots(), "/nowhere");
    return LocalSources{places, *files, pool, {}, single, name}.find(file);
  }
  bool in_other_hands(const Entry& file) {
    const auto found = look(file);
    REQUIRE(found);
    return found->candidates().front().in_other_hands;
  }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("local sources: a file is looked for at its path in each place, the best first") {
  Sources t;
  fs::create_directories(t.directory.path() / "left" / "dir");
  for (const char* place : {"target", "seed", "left"}) write(t.directory.path() / place / "dir" / "file", "text");
  const UniqueFd left = open_file(t.directory.path() / "left", O_RDONLY | O_DIRECTORY);
  t.places.add_staging(LocalRoot::Kind::staging, left.get(), fs::canonical(t.directory.path() / "left"));
  t.add_target();
  t.places.add_seed(t.seed);
  CHECK(t.find(Sources::entry("dir/file")) == Names{"left/dir/file", "target/dir/file", "seed/dir/file"});
  CHECK(t.find(Sources::entry("dir/none")).empty());
  fs::remove(t.target / "dir" / "file");
  CHECK(t.find(Sources::entry("dir/file")) == Names{"left/dir/file", "seed/dir/file"});
}

TEST_CASE("local sources: of an empty file only that it is at the target matters") {
  Sources t;
  write(t.target / "empty", "");
  write(t.seed / "empty", "");
  t.add_target();
  t.places.add_seed(t.seed);
  CHECK(t.find(Sources::entry("empty", 0)) == Names{"target/empty"});
  // Nor has it anything to give.
  CHECK(t.find(Sources::entry("empty", 7)) == Names{"target/empty"});
}

TEST_CASE("local sources: no link is followed, on the way neither") {
  Sources t;
  write(t.seed / "file", "text");
  fs::create_symlink("file", t.seed / "link");
  write(t.seed / "dir" / "inner", "text");
  fs::create_directory_symlink("dir", t.seed / "way");
  t.places.add_seed(t.seed);
  CHECK(t.find(Sources::entry("file")) == Names{"seed/file"});
  CHECK(t.find(Sources::entry("link")).empty());
  CHECK(t.find(Sources::entry("way/inner")).empty());
}

TEST_CASE("local sources: what is no regular file is not even opened") {
  Sources t;
  const fs::path pipe = t.seed / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const UniqueFd watch{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  REQUIRE(::inotify_add_watch(watch.get(), pipe.c_str(), IN_OPEN) >= 0);
  t.places.add_seed(t.seed);
  CHECK(t.find(Sources::entry("pipe")).empty());
  CHECK(t.find(Sources::entry("dir")).empty());
  char event[4096];
  CHECK(::read(watch.get(), event, sizeof event) < 0);
}

TEST_CASE(
    "local sources: a seed that is one file is looked at for each file, by its offsets where the name is the same") {
  Sources t;
  write(t.directory.path() / "one", "text");
  t.places.add_seed(t.directory.path() / "one");
  CHECK(t.find(Sources::entry("dir/one")) == Names{"one"});
  CHECK(t.find(Sources::entry("dir/two")) == Names{"one (anywhere)"});
  CHECK(t.find(Sources::entry("two"), "content", "name") == Names{"one"});
}

TEST_CASE("local sources: seeds that are none are refused") {
  Sources t;
  REQUIRE(::mkfifo((t.seed / "pipe").c_str(), 0600) == 0);
  fs::create_symlink("nowhere", t.seed / "dangling");
  for (const fs::path& seed : {fs::path{}, t.seed / "none", t.seed / "none" / "below", t.seed / "pipe",
                               t.seed / "dangling", fs::path{"/dev/null"}}) {
    CHECK(test::failure_of([&] { t.places.add_seed(seed); }) == ErrorKind::usage);
  }
  CHECK(t.places.empty());
}

TEST_CASE("local sources: no more than so many places are looked at") {
  Sources t;
  write(t.seed / "file", "text");
  for (int i = 0; i < 20; ++i) t.places.add_seed(t.seed);
  CHECK(t.find(Sources::entry("file")).size() == k_max_candidates);
}

TEST_CASE("local sources: a file that others may write, and not what it becomes, is in their hands") {
  Sources t;
  const fs::path path = t.target / "file";
  write(path, "text");
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  t.add_target();
  Entry file = Sources::entry("file");
  CHECK_FALSE(t.in_other_hands(file));
  SUBCASE("anybody") {
    REQUIRE(::chmod(path.c_str(), 0602) == 0);
    CHECK(t.in_other_hands(file));
    file.mode = 0602;
    CHECK_FALSE(t.in_other_hands(file));
  }
  SUBCASE("its group") {
    REQUIRE(::chmod(path.c_str(), 0660) == 0);
    CHECK(t.in_other_hands(file));
    file.mode = 0660;
    CHECK_FALSE(t.in_other_hands(file));
    file.gid += 1;
    CHECK(t.in_other_hands(file));
  }
  SUBCASE("who its access control list names") {
    // owner rw, user 12345 rw, group r, mask rw, others r
    static const unsigned char list[] = {2, 0,  0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  6,
                                         0, 57, 48,  0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
                                         6, 0,  255, 255, 255, 255, 32, 0, 4,   0,   255, 255, 255, 255};
    const std::string value{reinterpret_cast<const char*>(list), sizeof list};
    if (::setxattr(path.c_str(), "system.posix_acl_access", value.data(), value.size(), 0) != 0) return;
    file.mode = 0664;
    CHECK(t.in_other_hands(file));
    file.xattrs = {{"system.posix_acl_access", value}};
    CHECK_FALSE(t.in_other_hands(file));
  }
  SUBCASE("its owner") {
    if (::geteuid() != 0) return;
    REQUIRE(::chown(path.c_str(), k_other, static_cast<gid_t>(-1)) == 0);
    CHECK(t.in_other_hands(file));
    file.uid = k_other;
    CHECK_FALSE(t.in_other_hands(file));
    file.uid = k_keep_owner;
    CHECK(t.in_other_hands(file));
    // What is root's is in nobody's hands.
    REQUIRE(::chown(path.c_str(), 0, static_cast<gid_t>(-1)) == 0);
    file.uid = k_other;
    CHECK_FALSE(t.in_other_hands(file));
  }
}

TEST_CASE("local sources: what lies in staging is nobody else's, whoever it belongs to already") {
  if (::geteuid() != 0) return;
  Sources t;
  write(t.seed / "file", "text");
  REQUIRE(::chown((t.seed / "file").c_str(), k_other, k_other) == 0);
  const UniqueFd left = open_file(t.seed, O_RDONLY | O_DIRECTORY);
  t.places.add_staging(LocalRoot::Kind::staging, left.get(), t.seed);
  CHECK_FALSE(t.in_other_hands(Sources::entry("file")));
}
