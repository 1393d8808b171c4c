#include "engine/restore/swap_rules.hpp"
#include "support/nobody.hpp"
#include "unit/engine/restore/tree_fixture.hpp"
#include "util/own_directory.hpp"

#include <csignal>

#include <sys/mount.h>
#include <sys/wait.h>

using namespace cairn;
using namespace cairn::test;

namespace {

using Names = std::vector<std::string>;

struct Swapping : TreeFixture {
  Swapping() {
    fs::create_directories(target / "sub");
    put(target / "old", "old");
    put(target / "sub/file", "old");
  }
  StagedRestore swap() { return writer(Overwrite::swap); }
  static void add_new(StagedRestore& to) {
    add_directory(to, ".");
    add_directory(to, "sub");
    add_file(to, "sub/file", "new");
  }
  // A process that does this and waits.
  template <class F>
  class Other {
   public:
    explicit Other(F f) {
      int ready[2];
      REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
      m_pid = ::fork();
      REQUIRE(m_pid >= 0);
      if (m_pid == 0) {
        if (::write(ready[1], f() ? "y" : "n", 1) != 1) ::_exit(1);
        for (;;) ::pause();
      }
      char byte = 0;
      REQUIRE(::read(ready[0], &byte, 1) == 1);
      REQUIRE(byte == 'y');
      for (const int end : ready) ::close(end);
    }
    Other(const Other&) = delete;
    Other& operator=(const Other&) = delete;
    ~Other() {
      ::kill(m_pid, SIGKILL);
      ::waitpid(m_pid, nullptr, 0);
    }
    pid_t pid() const { return m_pid; }

   private:
    pid_t m_pid = -1;
  };
};

}  // namespace

TEST_CASE_FIXTURE(Swapping, "swap: the whole directory is another one, and nothing is left of the old") {
  const auto before = id_at(AT_FDCWD, target);
  auto to = swap();
  add_new(to);
  CHECK(get(target / "old") == "old");
  to.publish();
  CHECK(names_in(target) == Names{"sub"});
  CHECK(get(target / "sub/file") == "new");
  CHECK(names_in(directory.path()) == Names{"target"});
  CHECK(id_at(AT_FDCWD, target) != before);
  struct stat status {};
  REQUIRE(::stat(target.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0755);
  CHECK(status.st_mtim.tv_sec == 0);
  CHECK(notes.warnings.empty());
}

TEST_CASE_FIXTURE(Swapping, "swap: the old directory is kept where that is asked for") {
  RestoreTarget there{target, Shape::tree, Overwrite::swap};
  CHECK(kept_name(there, Digest{}) == "target.before-000000000000");
  check_keeping(there, kept_name(there, Digest{}));
  Staging staging = Staging::create(there, Digest{});
  SkippedTally tally;
  TreeWriter writer{there, staging, tally};
  writer.add(make_entry(".", EntryType::directory));
  const auto before = id_at(AT_FDCWD, target);
  MendedDirectories mended{notes};
  make_publisher({there, staging, tally, notes, mended, {}, "target.before"})->publish(writer.finish());
  CHECK(names_in(directory.path()) == Names{"target", "target.before"});
  CHECK(id_at(AT_FDCWD, directory.path() / "target.before") == before);
  CHECK(names_in(target).empty());
  CHECK(get(directory.path() / "target.before/sub/file") == "old");
  const RestoreTarget again{target, Shape::tree, Overwrite::swap};
  CHECK(kind_of([&] { check_keeping(again, "target.before"); }) == ErrorKind::usage);
  CHECK(kind_of([&] { check_keeping(again, std::string(250, 'x')); }) == ErrorKind::usage);
  const RestoreTarget merged{target, Shape::tree, Overwrite::yes};
  CHECK(kind_of([&] { check_keeping(merged, "free"); }) == ErrorKind::usage);
}

TEST_CASE_FIXTURE(Swapping, "swap: refused where somebody has a file open or is in it, with program and process") {
  std::string holds;
  pid_t pid = 0;
  const auto refused = [&] {
    const RestoreTarget there{target, Shape::tree, Overwrite::swap};
    const std::string message = message_of([&] { check_swap(there, {}, notes); });
    CHECK(message.find(holds) != std::string::npos);
    CHECK(message.find("process " + std::to_string(pid) + " (") != std::string::npos);
    auto to = swap();
    add_new(to);
    CHECK(kind_of([&] { to.publish(); }) == ErrorKind::busy);
    CHECK(get(target / "old") == "old");
  };
  SUBCASE("a file") {
    const Other other{[&] { return ::open((target / "sub/file").c_str(), O_RDONLY) >= 0; }};
    holds = "target/sub/file': process";
    pid = other.pid();
    refused();
  }
  SUBCASE("its working directory") {
    const Other other{[&] { return ::chdir(target.c_str()) == 0; }};
    holds = "has its working directory there";
    pid = other.pid();
    refused();
  }
  SUBCASE("its root") {
    if (::geteuid() != 0) return;
    const Other other{[&] { return ::chroot((target / "sub").c_str()) == 0; }};
    holds = "has its root directory there";
    pid = other.pid();
    refused();
  }
  CHECK(names_in(directory.path()) == Names{"target"});
}

TEST_CASE_FIXTURE(Swapping, "swap: refused where the restore would take its own store away") {
  const RestoreTarget there{target, Shape::tree, Overwrite::swap};
  CHECK(kind_of([&] { check_swap(there, {target / "sub"}, notes); }) == ErrorKind::usage);
  CHECK(kind_of([&] { check_swap(there, {target}, notes); }) == ErrorKind::usage);
  check_swap(there, {directory.path(), target / "not-there"}, notes);
}

TEST_CASE_FIXTURE(Swapping, "swap: refused at a mount point, and above one") {
  const fs::path mounted = target / "sub";
  if (::geteuid() != 0 || ::mount("none", mounted.c_str(), "tmpfs", 0, "size=1m") != 0) return;
  CHECK(kind_of([&] { RestoreTarget(mounted, Shape::tree, Overwrite::swap); }) == ErrorKind::failed);
  const RestoreTarget there{target, Shape::tree, Overwrite::swap};
  CHECK(kind_of([&] { check_swap(there, {}, notes); }) == ErrorKind::failed);
  CHECK(::umount(mounted.c_str()) == 0);
  check_swap(there, {}, notes);
  CHECK(kind_of([&] { RestoreTarget("/", Shape::tree, Overwrite::swap); }) == ErrorKind::failed);
}

TEST_CASE_FIXTURE(Swapping, "swap: what took the target's name meanwhile is not swapped") {
  auto to = swap();
  add_new(to);
  fs::rename(target, directory.path() / "moved");
  fs::create_directory(target);
  put(target / "mine", "mine");
  CHECK(kind_of([&] { to.publish(); }) == ErrorKind::failed);
  CHECK(get(target / "mine") == "mine");
  CHECK(get(directory.path() / "moved/old") == "old");
}

TEST_CASE_FIXTURE(Swapping, "swap: where nothing is there yet, as without") {
  target = directory.path() / "new";
  auto to = swap();
  add_new(to);
  to.publish();
  CHECK(get(target / "sub/file") == "new");
}

TEST_CASE_FIXTURE(Swapping, "swap: an owner's directories without rights to write come and go") {
  ::chmod(directory.path().c_str(), 0777);
  CHECK(as_nobody([&] {
    const fs::path mine = directory.path() / "mine";
    fs::create_directory(mine);
    put(mine / "old", "old");
    StagedRestore to{RestoreTarget{mine, Shape::tree, Overwrite::swap}, notes};
    Entry closed = make_entry("closed", EntryType::directory);
    closed.mode = 0500;
    to.add(closed);
    add_file(to, "closed/file", "new");
    to.publish();
    struct stat status {};
    return ::stat((mine / "closed").c_str(), &status) == 0 && (status.st_mode & 0777U) == 0500 &&
           get(mine / "closed/file") == "new" && names_in(directory.path()) == Names{"mine", "target"};
  }));
}
