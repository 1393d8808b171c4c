#include "util/lock_file.hpp"

#include "util/process.hpp"

#include <array>
#include <csignal>
#include <string>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/wait.h>

using namespace cairn;

namespace {

// Another process that holds the lock, ready when it is made.
class Holder {
 public:
  explicit Holder(const fs::path& file) {
    std::array<int, 2> ready{};
    REQUIRE(::pipe(ready.data()) == 0);
    m_pid = ::fork();
    REQUIRE(m_pid >= 0);
    if (m_pid == 0) {
      LockFile lock{file};
      const char answer = lock.try_lock() ? 'y' : 'n';
      static_cast<void>(::write(ready[1], &answer, 1));
      for (;;) ::pause();
    }
    char answer = 0;
    REQUIRE(::read(ready[0], &answer, 1) == 1);
    CHECK(answer == 'y');
    ::close(ready[0]);
    ::close(ready[1]);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() { kill(); }
  pid_t pid() const noexcept { return m_pid; }
  void kill() {
    if (m_pid < 0) return;
    ::kill(m_pid, SIGKILL);
    ::waitpid(m_pid, nullptr, 0);
    m_pid = -1;
  }

 private:
  pid_t m_pid = -1;
};

}  // namespace

TEST_CASE("lock file: one process at a time, and the kernel lets go of it when that is killed") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path file = directory.path() / "locks/a.lock";
  Holder other{file};
  LockFile lock{file};
  CHECK_FALSE(lock.try_lock());
  CHECK(lock.holder() == other.pid());
  other.kill();
  CHECK(lock.try_lock());
  CHECK(lock.holder() == ::getpid());
  CHECK((fs::status(file).permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
  // The name stays: another process that waits has opened it.
  LockFile second{file};
  CHECK_FALSE(second.try_lock());
}

TEST_CASE("lock file: it goes with the object, and programs that were started meanwhile do not keep it") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path file = directory.path() / "a.lock";
  {
    LockFile lock{file};
    REQUIRE(lock.try_lock());
    // It leaves a child behind.
    run_program({"sh", "-c", "sleep 5 &"}, {}, [](std::string_view) {});
  }
  LockFile next{file};
  CHECK(next.try_lock());
}

TEST_CASE("lock file: what is in it is believed only as far as it is a process") {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path file = directory.path() / "a.lock";
  for (const char* text : {"", "nobody\n", "-4\n", "99999999999999999999999999\n"}) {
    write_file_atomic(file, as_bytes(text));
    CHECK_FALSE(LockFile{file}.holder());
  }
}
