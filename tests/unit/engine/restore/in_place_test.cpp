// Restores into what is there: --in-place, seeds, and what interrupted restores left.
#include "capture/directory_source.hpp"
#include "engine/restore/restorer.hpp"
#include "engine/restore/staging.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "support/content.hpp"
#include "support/store_fixture.hpp"
#include "unit/support.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>

using namespace cairn;
using test::noise;
using test::write;

namespace {

struct InPlace : test::StoreFixture {
  fs::path target = directory.path() / "target";
  RestoreRequest request{.target = target, .paths = {}, .in_place = true, .remove = true};

  Manifest take() {
    DirectorySource from{{.path = source, .exclude = {}, .include = {}}};
    auto c = context();
    SnapshotRequest taken;
    taken.series = "s";
    const auto id = take_snapshot(c, from, taken).id;
    for (const auto& info : repository->manifests().list()) {
      if (info.name.id == id.short_hex()) return repository->manifests().load(info);
    }
    FAIL("no snapshot");
    return {};
  }
  RestoreResult get(const Manifest& manifest) {
    auto c = context();
    return restore(c, manifest, request);
  }
  // The target as the source is, down to its inodes' other names.
  void copy() const {
    REQUIRE(std::system(fmt::format("cp -a '{}/.' '{}'", source.native(), target.native()).c_str()) == 0);
  }
  std::string differences() const {
    const std::string out = (directory.path() / "differences").native();
    const std::string command =
        fmt::format("rsync -naHAXc -@-1 --numeric-ids --delete --itemize-changes '{}/' '{}/' >'{}' 2>&1",
                    source.native(), target.native(), out);
    REQUIRE(std::system(command.c_str()) == 0);
    return std::string{as_text(read_file(out))};
  }
  static ino_t inode(const fs::path& path) {
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_ino;
  }
  std::vector<fs::path> staged() const {
    std::vector<fs::path> found;
    for (const fs::path& place : {directory.path(), target}) {
      if (!fs::is_directory(place)) continue;
      for (const auto& item : fs::directory_iterator(place)) {
        if (item.path().filename().native().starts_with(RestoreTarget::k_staging_prefix)) found.push_back(item.path());
      }
    }
    return found;
  }
};

std::string text(const fs::path& path) {
  return std::string{as_text(read_file(path))};
}

// Commits a row to a database and copies it with its log while it is open: what a crash leaves.
void leave_log(const fs::path& database, const fs::path& copy) {
  REQUIRE(std::system(fmt::format("sqlite3 '{0}' 'PRAGMA journal_mode=wal; INSERT INTO t VALUES (2);' "
                                  "'.system cp {0} {1}; cp {0}-wal {1}-wal' >/dev/null",
                                  database.native(), copy.native())
                          .c_str()) == 0);
  REQUIRE(fs::exists(copy.native() + "-wal"));
}

}  // namespace

TEST_CASE("in place: what does not differ stays, and nothing of it is fetched") {
  InPlace t;
  write(t.source / "large", noise(3'000'000, 1));
  write(t.source / "empty", "");
  fs::create_directory(t.source / "dir");
  write(t.source / "dir" / "small", "small");
  fs::create_hard_link(t.source / "dir" / "small", t.source / "link");
  fs::create_symlink("nowhere", t.source / "symlink");
  const auto manifest = t.take();
  fs::create_directory(t.target);
  t.copy();
  const auto before = InPlace::inode(t.target / "large");
  auto c = t.context();
  const auto plan = plan_restore(c, manifest, t.request).figures;
  CHECK(plan.bytes_to_fetch == 0);
  CHECK(plan.bytes_to_reuse == 3'000'005);
  CHECK(plan.to_keep == plan.entries);
  CHECK(plan.space == 0);
  const auto result = t.get(manifest);
  CHECK(result.bytes_reused == 3'000'005);
  CHECK(result.bytes_written == 0);
  CHECK(InPlace::inode(t.target / "large") == before);
  CHECK(InPlace::inode(t.target / "link") == InPlace::inode(t.target / "dir" / "small"));
  CHECK(t.differences() == "");
}

TEST_CASE("in place: only what differs is fetched, and files have their metadata") {
  InPlace t;
  std::string large = noise(9'000'000, 1);
  write(t.source / "large", large);
  write(t.source / "mode", "mode");
  write(t.source / "same size", "after");
  fs::create_directory(t.source / "was a file");
  write(t.source / "was a directory", "file");
  const auto manifest = t.take();
  fs::create_directory(t.target);
  t.copy();
  large[4'500'000] ^= 1;
  write(t.target / "large", large + "longer");
  const auto before = InPlace::inode(t.target / "mode");
  REQUIRE(::chmod((t.target / "mode").c_str(), 0600) == 0);
  // Its times are those of the snapshot: that says nothing of its content.
  write(t.target / "same size", "befor");
  REQUIRE(std::system(
              fmt::format("touch -r '{}' '{}'", (t.source / "same size").native(), (t.target / "same size").native())
                  .c_str()) == 0);
  fs::remove(t.target / "was a file");
  write(t.target / "was a file", "file");
  fs::remove(t.target / "was a directory");
  fs::create_directory(t.target / "was a directory");
  write(t.target / "was a directory" / "in it", "gone");
  write(t.target / "extra", "gone");
  const auto result = t.get(manifest);
  CHECK(t.differences() == "");
  CHECK(result.bytes_reused > 8'700'000);
  // A frame of it, and that of the small files.
  CHECK(result.bytes_fetched < 2'200'000);
  CHECK(result.removed == 2);
  CHECK(InPlace::inode(t.target / "mode") == before);
  CHECK(t.staged().empty());
}

TEST_CASE("in place: what was inserted costs what is new, where content is cut by itself") {
  InPlace t;
  const std::string rest = noise(6'000'000, 1);
  write(t.source / "text", "a line more\n" + rest);
  const auto manifest = t.take();
  fs::create_directory(t.target);
  write(t.target / "text", rest);
  const auto result = t.get(manifest);
  CHECK(t.differences() == "");
  CHECK(result.bytes_reused > 5'000'000);
}

TEST_CASE("in place: nothing is deleted through a symbolic link, nor out of the paths that were asked for") {
  InPlace t;
  fs::create_directories(t.source / "dir" / "sub");
  write(t.source / "dir" / "file", "file");
  const auto manifest = t.take();
  fs::create_directories(t.directory.path() / "outside" / "sub");
  write(t.directory.path() / "outside" / "kept", "kept");
  write(t.directory.path() / "outside" / "sub" / "kept", "kept");
  fs::create_directories(t.target);
  write(t.target / "besides", "besides");
  SUBCASE("in the place of a directory") {
    fs::create_directory_symlink(t.directory.path() / "outside", t.target / "dir");
    t.get(manifest);
    CHECK(t.differences() == "");
  }
  SUBCASE("where the snapshot has nothing") {
    fs::create_directory_symlink(t.directory.path() / "outside", t.target / "link");
    t.get(manifest);
    CHECK(t.differences() == "");
  }
  SUBCASE("paths") {
    fs::create_directories(t.target / "dir" / "sub" / "extra");
    write(t.target / "dir" / "besides", "besides");
    t.request.paths = {"dir/sub"};
    const auto result = t.get(manifest);
    CHECK(result.removed == 1);
    CHECK(text(t.target / "dir" / "besides") == "besides");
    CHECK(text(t.target / "besides") == "besides");
    CHECK(fs::is_empty(t.target / "dir" / "sub"));
  }
  CHECK(text(t.directory.path() / "outside" / "kept") == "kept");
  CHECK(text(t.directory.path() / "outside" / "sub" / "kept") == "kept");
}

TEST_CASE("in place: a file with names elsewhere is made anew, and those keep what they had") {
  InPlace t;
  write(t.source / "file", "as it is");
  const auto manifest = t.take();
  fs::create_directories(t.target);
  t.copy();
  fs::create_hard_link(t.target / "file", t.directory.path() / "elsewhere");
  bool same = true;
  SUBCASE("nothing differs") {}
  SUBCASE("its mode differs") {
    same = false;
    REQUIRE(::chmod((t.target / "file").c_str(), 0600) == 0);
  }
  t.get(manifest);
  CHECK(t.differences() == "");
  CHECK(fs::hard_link_count(t.target / "file") == 1);
  const auto mode = fs::status(t.directory.path() / "elsewhere").permissions();
  CHECK((mode == fs::status(t.target / "file").permissions()) == same);
}

TEST_CASE("in place: what another user may have mapped is made anew of what it has, and not made somebody else's") {
  if (::geteuid() != 0) return;
  InPlace t;
  write(t.source / "file", noise(200'000, 1));
  REQUIRE(::chmod((t.source / "file").c_str(), 04755) == 0);
  const auto manifest = t.take();
  fs::create_directories(t.target);
  t.copy();
  bool stays = false;
  SUBCASE("his") {
    REQUIRE(::chown((t.target / "file").c_str(), 12345, 12345) == 0);
  }
  SUBCASE("anybody's") {
    REQUIRE(::chmod((t.target / "file").c_str(), 0666) == 0);
  }
  SUBCASE("nobody's but root's") {
    stays = true;
    REQUIRE(::chmod((t.target / "file").c_str(), 0600) == 0);
  }
  const auto before = InPlace::inode(t.target / "file");
  const auto result = t.get(manifest);
  CHECK(t.differences() == "");
  CHECK((InPlace::inode(t.target / "file") == before) == stays);
  CHECK(result.bytes_reused == 200'000);
}

namespace {

// Does something at the target once all is written and nothing is moved yet, as somebody else might.
class Meddling : public Reporter {
 public:
  explicit Meddling(std::function<void()> meddle) : m_meddle(std::move(meddle)) {}
  void warning(const std::string&) override {}
  void info(const std::string&) override {}
  void progress(const char* what, std::uint64_t, std::uint64_t) override {
    if (std::string_view{what} == "restore") m_meddle();
  }

 private:
  std::function<void()> m_meddle;
};

std::optional<Error> failure_beside(InPlace& t, const Manifest& manifest, const std::function<void()>& meddle) {
  const Context c = t.context();
  Meddling reporter{meddle};
  Context beside{c.repository, c.cpu, c.io, c.put, reporter, c.host, c.clock};
  return any_failure_of([&] { restore(beside, manifest, t.request); });
}

}  // namespace

TEST_CASE("in place: what became another since it was looked at is left alone, and nothing is moved") {
  InPlace t;
  write(t.source / "changes", "new");
  write(t.source / "stays", "stays");
  const auto manifest = t.take();
  fs::create_directories(t.target / "extra");
  t.copy();
  write(t.target / "changes", "old");
  write(t.target / "extra" / "file", "extra");
  std::function<void()> meddle;
  SUBCASE("something that was to be removed") {
    meddle = [&] {
      fs::rename(t.target / "extra" / "file", t.directory.path() / "away");
      write(t.target / "extra" / "file", "another");
    };
  }
  SUBCASE("a directory that was to be removed") {
    meddle = [&] {
      fs::rename(t.target / "extra", t.directory.path() / "away");
      fs::create_directory(t.target / "extra");
      write(t.target / "extra" / "file", "another");
    };
  }
  SUBCASE("a file that was to stay") {
    meddle = [&] { write(t.target / "stays", "another"); };
  }
  const auto failure = failure_beside(t, manifest, [&] { std::exchange(meddle, [] {})(); });
  REQUIRE(failure);
  CHECK(failure->kind() == ErrorKind::failed);
  CHECK(failure->message().find("changed while the restore was under way") != std::string::npos);
  CHECK(text(t.target / "changes") == "old");
  CHECK(fs::exists(t.target / "extra" / "file"));
  t.get(manifest);
  CHECK(t.differences() == "");
  CHECK(t.staged().empty());
}

TEST_CASE("in place: what fails half-way says so, and the same command goes on") {
  InPlace t;
  write(t.source / "a", "new");
  write(t.source / "b", "new");
  write(t.source / "c", "new");
  const auto manifest = t.take();
  fs::create_directories(t.target);
  t.copy();
  write(t.target / "a", "old");
  write(t.target / "c", "old");
  fs::remove(t.target / "b");
  const auto failure = failure_beside(t, manifest, [&] {
    fs::create_directory(t.target / "b");
    write(t.target / "b" / "mine", "mine");
  });
  REQUIRE(failure);
  CHECK(failure->message().find("what was moved before is in place, the rest is as it was") != std::string::npos);
  CHECK(failure->hint().find(".cairn-restore-") != std::string::npos);
  CHECK(text(t.target / "a") == "new");
  CHECK(text(t.target / "b" / "mine") == "mine");
  CHECK(text(t.target / "c") == "old");
  CHECK(t.get(manifest).removed == 1);
  CHECK(t.differences() == "");
  CHECK(t.staged().empty());
}

TEST_CASE("in place: a directory of root's that got the name of a user's does not become his") {
  if (::geteuid() != 0) return;
  InPlace t;
  constexpr uid_t k_user = 12345;
  fs::create_directories(t.source / "his" / "dir");
  REQUIRE(std::system(fmt::format("chown -R {0}:{0} '{1}'", k_user, (t.source / "his").native()).c_str()) == 0);
  const auto manifest = t.take();
  fs::create_directories(t.target);
  t.copy();
  REQUIRE(::chmod((t.target / "his" / "dir").c_str(), 0700) == 0);
  fs::create_directory(t.target / "his" / "roots");
  REQUIRE(::chmod((t.target / "his" / "roots").c_str(), 0700) == 0);
  write(t.target / "his" / "roots" / "file", "root's");
  t.request.excludes = {"/his/roots"};
  const auto failure = failure_beside(t, manifest, [&] {
    if (!fs::exists(t.target / "his" / "roots")) return;
    fs::rename(t.target / "his" / "dir", t.target / "his" / "away");
    fs::rename(t.target / "his" / "roots", t.target / "his" / "dir");
  });
  REQUIRE(failure);
  struct stat status {};
  REQUIRE(::stat((t.target / "his" / "dir").c_str(), &status) == 0);
  CHECK(status.st_uid == 0);
}

TEST_CASE("in place: pipes in the place of files and logs are replaced and removed, and never opened") {
  InPlace t;
  for (const char* name : {"file", "db"}) write(t.source / name, "content");
  const auto manifest = t.take();
  fs::create_directories(t.target);
  const UniqueFd watch{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  for (const char* name : {"file", "db-wal", "db-shm", "file-journal", "extra"}) {
    REQUIRE(::mkfifo((t.target / name).c_str(), 0600) == 0);
    REQUIRE(::inotify_add_watch(watch.get(), (t.target / name).c_str(), IN_OPEN) >= 0);
  }
  t.get(manifest);
  CHECK(t.differences() == "");
  // That they went is told, too.
  char events[4096];
  const ssize_t n = ::read(watch.get(), events, sizeof events);
  for (ssize_t at = 0; at < n;) {
    struct inotify_event event {};
    std::memcpy(&event, events + at, sizeof event);
    CHECK((event.mask & IN_OPEN) == 0);
    at += static_cast<ssize_t>(sizeof event + event.len);
  }
}

TEST_CASE("in place: a directory that is read-only for its owner is opened for the time alone") {
  InPlace t;
  fs::create_directories(t.source / "closed");
  write(t.source / "closed" / "file", "new");
  REQUIRE(::chmod((t.source / "closed").c_str(), 0555) == 0);
  const auto manifest = t.take();
  fs::create_directories(t.target);
  t.copy();
  REQUIRE(::chmod((t.target / "closed").c_str(), 0755) == 0);
  write(t.target / "closed" / "file", "old");
  write(t.target / "closed" / "extra", "extra");
  REQUIRE(::chmod((t.target / "closed").c_str(), 0555) == 0);
  t.get(manifest);
  CHECK(t.differences() == "");
  for (const auto& at : {t.source, t.target}) REQUIRE(::chmod((at / "closed").c_str(), 0755) == 0);
}

TEST_CASE("in place: links that the target lacks are made to what stays, and those that are too many are taken apart") {
  InPlace t;
  write(t.source / "a", "one");
  fs::create_hard_link(t.source / "a", t.source / "b");
  write(t.source / "c", "one");
  const auto manifest = t.take();
  fs::create_directories(t.target);
  SUBCASE("lacking") {
    REQUIRE(std::system(fmt::format("cp -p '{}' '{}'", (t.source / "a").native(), (t.target / "a").native()).c_str()) ==
            0);
  }
  SUBCASE("too many") {
    write(t.target / "a", "one");
    fs::create_hard_link(t.target / "a", t.target / "b");
    fs::create_hard_link(t.target / "a", t.target / "c");
  }
  t.get(manifest);
  CHECK(t.differences() == "");
  CHECK(fs::hard_link_count(t.target / "a") == 2);
  CHECK(InPlace::inode(t.target / "a") == InPlace::inode(t.target / "b"));
  CHECK(InPlace::inode(t.target / "a") != InPlace::inode(t.target / "c"));
}

TEST_CASE("in place: without removal a directory that holds something is refused, and all else stays") {
  InPlace t;
  t.request.remove = false;
  write(t.source / "a", "a");
  write(t.source / "taken", "file");
  const auto manifest = t.take();
  fs::create_directories(t.target / "taken");
  SUBCASE("holds something") {
    write(t.target / "taken" / "mine", "mine");
    try {
      t.get(manifest);
      FAIL("not refused");
    } catch (const Error& e) {
      CHECK(e.kind() == ErrorKind::usage);
    }
    CHECK_FALSE(fs::exists(t.target / "a"));
    CHECK(text(t.target / "taken" / "mine") == "mine");
  }
  SUBCASE("is empty") {
    write(t.target / "mine", "mine");
    t.get(manifest);
    CHECK(text(t.target / "taken") == "file");
    CHECK(text(t.target / "mine") == "mine");
  }
  CHECK(t.staged().empty());
}

TEST_CASE("in place: what is excluded is neither restored nor removed") {
  InPlace t;
  write(t.source / "a", "a");
  write(t.source / "b.log", "b");
  const auto manifest = t.take();
  fs::create_directories(t.target / "extra");
  write(t.target / "mine.log", "mine");
  write(t.target / "extra" / "mine.log", "mine");
  write(t.target / "extra" / "gone", "gone");
  t.request.excludes = {"*.log"};
  CHECK(t.get(manifest).removed == 1);
  CHECK(text(t.target / "a") == "a");
  CHECK(text(t.target / "mine.log") == "mine");
  CHECK(text(t.target / "extra" / "mine.log") == "mine");
  CHECK_FALSE(fs::exists(t.target / "extra" / "gone"));
  CHECK_FALSE(fs::exists(t.target / "b.log"));
}

TEST_CASE("in place: a database that is broken is left out, and the target keeps its own") {
  InPlace t;
  const fs::path database = t.source / "db";
  REQUIRE(std::system(
              fmt::format("sqlite3 '{}' 'CREATE TABLE t (a); INSERT INTO t VALUES (1)'", database.native()).c_str()) ==
          0);
  fs::create_directories(t.target);
  leave_log(database, t.target / "db");
  // The page of the table.
  std::string bytes = text(database);
  bytes.replace(4096, 8, std::string(8, '\x7f'));
  write(database, bytes);
  const auto manifest = t.take();
  const std::string before = text(t.target / "db");
  SUBCASE("checked") {
    const auto result = t.get(manifest);
    REQUIRE(result.problems.size() == 1);
    CHECK(result.problems[0].kind == RestoreProblem::Kind::broken);
    CHECK(text(t.target / "db") == before);
    // What was committed last is in there.
    CHECK(fs::exists(t.target / "db-wal"));
    CHECK(result.removed == 0);
  }
  SUBCASE("not checked") {
    t.request.check = false;
    CHECK(t.get(manifest).problems.empty());
    CHECK(text(t.target / "db") == bytes);
  }
}

TEST_CASE("in place: a database with a log is settled before it is replaced, and its log goes with it") {
  InPlace t;
  const fs::path database = t.source / "db";
  REQUIRE(std::system(
              fmt::format("sqlite3 '{}' 'CREATE TABLE t (a); INSERT INTO t VALUES (1)'", database.native()).c_str()) ==
          0);
  const auto manifest = t.take();
  fs::create_directories(t.target);
  t.copy();
  leave_log(t.source / "db", t.target / "db");
  SUBCASE("with removal") {}
  SUBCASE("without") {
    t.request.remove = false;
  }
  t.get(manifest);
  std::vector<std::string> names;
  for (const auto& item : fs::directory_iterator(t.target)) names.push_back(item.path().filename());
  CHECK(names == std::vector<std::string>{"db"});
}

TEST_CASE("in place: the one file keeps what it replaces, and is not replaced where nothing differs") {
  InPlace t;
  write(t.source / "file", "new");
  DirectorySource from{{.path = t.source / "file", .exclude = {}, .include = {}}};
  auto c = t.context();
  SnapshotRequest taken;
  taken.series = "one";
  const auto id = take_snapshot(c, from, taken).id;
  Manifest manifest;
  for (const auto& info : t.repository->manifests().list()) {
    if (info.name.id == id.short_hex()) manifest = t.repository->manifests().load(info);
  }
  t.request.remove = false;
  t.request.keep_old = true;
  write(t.target, "old");
  const auto first = t.get(manifest);
  CHECK(text(t.target) == "new");
  REQUIRE_FALSE(first.kept.empty());
  CHECK(text(first.kept) == "old");
  fs::remove(first.kept);
  CHECK(t.get(manifest).kept.empty());
  CHECK_FALSE(fs::exists(first.kept));
}

TEST_CASE("seeds: what they have is not fetched, and they stay as they are") {
  InPlace t;
  t.request.in_place = t.request.remove = false;
  fs::create_directory(t.source / "dir");
  write(t.source / "dir" / "file", noise(2'000'000, 1));
  const auto manifest = t.take();
  const fs::path seed = t.directory.path() / "seed";
  SUBCASE("a tree") {
    REQUIRE(std::system(fmt::format("cp -a '{}' '{}'", t.source.native(), seed.native()).c_str()) == 0);
  }
  SUBCASE("a file of another name") {
    write(seed, "something before" + noise(2'000'000, 1));
  }
  t.request.seeds = {seed};
  const auto result = t.get(manifest);
  CHECK(t.differences() == "");
  CHECK(result.bytes_reused > 1'700'000);
  CHECK(result.bytes_fetched < 1'200'000);
  t.request.target = t.directory.path() / "other";
  t.request.seeds = {t.directory.path() / "none"};
  CHECK_THROWS_AS(t.get(manifest), Error);
}

TEST_CASE("seeds: a symbolic link in one is not followed") {
  InPlace t;
  t.request.in_place = t.request.remove = false;
  fs::create_directory(t.source / "dir");
  write(t.source / "dir" / "file", noise(1'000'000, 1));
  const auto manifest = t.take();
  const fs::path seed = t.directory.path() / "seed";
  fs::create_directory(seed);
  SUBCASE("the file") {
    fs::create_directory(seed / "dir");
    fs::create_symlink(t.source / "dir" / "file", seed / "dir" / "file");
  }
  SUBCASE("a directory") {
    fs::create_directory_symlink(t.source / "dir", seed / "dir");
  }
  t.request.seeds = {seed};
  CHECK(t.get(manifest).bytes_reused == 0);
}

TEST_CASE("resume: what an interrupted restore wrote is not fetched again") {
  InPlace t;
  t.request.in_place = t.request.remove = false;
  for (int i = 0; i < 40; ++i) write(t.source / fmt::format("f{}", i), noise(200'000, static_cast<unsigned>(i)));
  const auto manifest = t.take();
  // As it is killed: the directory, with files whole, half written, and of zeros.
  {
    const RestoreTarget to{t.target, RestoreTarget::Shape::tree, RestoreTarget::Overwrite::no};
    Staging left = Staging::create(to, manifest.id);
    for (int i = 0; i < 20; ++i) write(left.path() / fmt::format("f{}", i), noise(200'000, static_cast<unsigned>(i)));
    write(left.path() / "f20", noise(200'000, 20).substr(0, 150'000) + std::string(50'000, '\0'));
    write(left.path() / "f21", std::string(200'000, '\0'));
    left.release();
  }
  auto c = t.context();
  CHECK(!plan_restore(c, manifest, t.request).figures.left.empty());
  std::uint64_t least = 4'000'000;
  SUBCASE("going on") {}
  SUBCASE("anew") {
    t.request.discard = true;
    least = 0;
  }
  const auto result = t.get(manifest);
  CHECK(t.differences() == "");
  CHECK(result.bytes_reused >= least);
  CHECK((result.bytes_reused == 0) == t.request.discard);
  CHECK(result.bytes_fetched + result.bytes_reused < 9'500'000);
  CHECK(t.staged().empty());
}

TEST_CASE("resume: what is removed of an interrupted restore in the target does not change its times") {
  InPlace t;
  write(t.source / "file", "file");
  const auto manifest = t.take();
  fs::create_directories(t.target);
  t.copy();
  {
    const RestoreTarget to{t.target, RestoreTarget::Shape::tree, RestoreTarget::Overwrite::in_place};
    Staging left = Staging::create(to, manifest.id);
    write(left.path() / "file", "file");
    left.release();
  }
  t.get(manifest);
  CHECK(t.staged().empty());
  CHECK(t.differences() == "");
}

TEST_CASE("swap: what the old directory has is not fetched") {
  InPlace t;
  t.request.in_place = t.request.remove = false;
  t.request.overwrite = t.request.swap = true;
  write(t.source / "file", noise(1'000'000, 1));
  const auto manifest = t.take();
  fs::create_directories(t.target);
  t.copy();
  write(t.target / "mine", "mine");
  const auto before = InPlace::inode(t.target);
  CHECK(t.get(manifest).bytes_reused == 1'000'000);
  CHECK(t.differences() == "");
  CHECK(InPlace::inode(t.target) != before);
}

TEST_CASE("resume: an interrupted restore leaves what it wrote, and says where") {
  // Asks the program to stop as soon as so much was written.
  class Stopping : public Reporter {
   public:
    void warning(const std::string&) override {}
    void info(const std::string&) override {}
    void progress(const char*, std::uint64_t done, std::uint64_t) override {
      if (done > 10'000'000) set_interrupted(SIGTERM);
    }
  };
  InPlace t;
  t.request.in_place = t.request.remove = false;
  for (int i = 0; i < 250; ++i) write(t.source / fmt::format("f{:03}", i), noise(200'000, static_cast<unsigned>(i)));
  const auto manifest = t.take();
  Stopping reporter;
  const Context c = t.context();
  Context stopping{c.repository, c.cpu, c.io, c.put, reporter, c.host, c.clock};
  bool interrupted = false;
  std::string hint;
  try {
    restore(stopping, manifest, t.request);
  } catch (const Error& e) {
    interrupted = e.kind() == ErrorKind::interrupted;
    hint = e.hint();
  }
  set_interrupted(0);
  CHECK(interrupted);
  CHECK_FALSE(fs::exists(t.target));
  REQUIRE(t.staged().size() == 1);
  CHECK(hint.find(t.staged()[0].native()) != std::string::npos);
  const auto result = t.get(manifest);
  CHECK(t.differences() == "");
  CHECK(result.bytes_reused > 8'000'000);
  CHECK(result.bytes_fetched < 43'000'000);
  CHECK(t.staged().empty());
}

TEST_CASE("resume: one that was killed when all was in place but for the metadata of the target is finished") {
  InPlace t;
  t.request.in_place = t.request.remove = false;
  fs::create_directory(t.source / "dir");
  write(t.source / "dir" / "file", noise(100'000, 1));
  REQUIRE(::chmod(t.source.c_str(), 0751) == 0);
  const auto manifest = t.take();
  SUBCASE("all of it") {}
  SUBCASE("a path") {
    t.request.paths = {"dir/file"};
  }
  t.get(manifest);
  REQUIRE(t.differences() == "");
  CHECK(test::failure_of([&] { t.get(manifest); }) == ErrorKind::usage);
  const UniqueFd root = open_file(t.target, O_RDONLY | O_DIRECTORY);
  Staging left = [&] {
    const RestoreTarget to{t.directory.path() / "other", RestoreTarget::Shape::tree, RestoreTarget::Overwrite::no};
    return Staging::create(to, manifest.id);
  }();
  left.mark_as_whole(manifest.id);
  struct stat marked {};
  REQUIRE(::fstat(left.fd(), &marked) == 0);
  const struct timespec times[2] = {{0, UTIME_OMIT}, marked.st_mtim};
  REQUIRE(::fchmod(root.get(), 01700) == 0);
  REQUIRE(::futimens(root.get(), times) == 0);
  auto c = t.context();
  CHECK(plan_restore(c, manifest, t.request).figures.bytes_to_fetch == 0);
  const auto result = t.get(manifest);
  CHECK(t.differences() == "");
  CHECK(result.bytes_written == 0);
  CHECK(test::failure_of([&] { t.get(manifest); }) == ErrorKind::usage);
}

TEST_CASE("resume: a restore that is refused leaves nothing") {
  InPlace t;
  t.request.in_place = t.request.remove = false;
  write(t.source / "file", "text");
  const auto manifest = t.take();
  t.request.paths = {"none"};
  CHECK_THROWS_AS(t.get(manifest), Error);
  CHECK(t.staged().empty());
}
