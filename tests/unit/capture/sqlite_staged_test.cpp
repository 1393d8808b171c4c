// Databases that are copied first, databases that are refused, and the source of one database.
#include "capture/sqlite/database.hpp"
#include "capture/sqlite/format.hpp"
#include "sqlite_support.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

using namespace cairn;
using namespace cairn::test;

namespace {

constexpr unsigned k_nobody = 65534;
constexpr unsigned k_application = 12345;

struct Fixture {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path path = directory.path() / "app.db";

  Fixture() { ::chmod(directory.path().c_str(), 0755); }
  fs::path beside(const char* suffix) const { return path.native() + suffix; }

  // A database with content in its log that nobody has open: as after a crash.
  Bytes make_resting_wal() const {
    const fs::path live = directory.path() / "live.db";
    Database db{live};
    db.run("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
    make_table(db, 300);
    fs::copy_file(live, path);
    fs::copy_file(live.native() + "-wal", beside("-wal"));
    return online_backup(live);
  }
  void patch(std::uint64_t offset, Bytes bytes) const {
    const UniqueFd fd = open_file(path, O_WRONLY);
    write_at(fd.get(), bytes, offset, path);
  }
  void give_to(unsigned uid) const {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
      static_cast<void>(::chown(beside(suffix).c_str(), uid, uid));
    }
  }
  SqliteOptions impatient() const {
    SqliteOptions options;
    options.busy_timeout = std::chrono::milliseconds{50};
    return options;
  }
};

// Takes away what a hardened service or a container takes from root: from this process and all that it starts.
void drop_capability(unsigned capability) {
  ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  ::syscall(SYS_capget, &header, sets.data());
  sets.at(capability / 32).effective &= ~(1U << capability % 32);
  sets.at(capability / 32).permitted &= ~(1U << capability % 32);
  ::syscall(SYS_capset, &header, sets.data());
}

// Until somebody reads the database below SQLite's shared lock.
void wait_for_shared_lock(const fs::path& path) {
  const UniqueFd fd = open_file(path, O_RDWR);
  while (true) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(sqlite::k_pending_byte + 2);
    lock.l_len = 510;
    ::fcntl(fd.get(), F_GETLK, &lock);
    if (lock.l_type != F_UNLCK) return;
    ::usleep(100);
  }
}

ErrorKind failure(const fs::path& path, const SqliteOptions& options) {
  try {
    capture(path, options);
  } catch (const SourceError& error) {
    return error.kind();
  }
  FAIL("captured what should have been refused");
  return ErrorKind::failed;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "sqlite rollback journal: every page size, byte for byte the file") {
  for (int size = 512; size <= 65536; size *= 2) {
    CAPTURE(size);
    fs::remove(path);
    Database db{path};
    db.run("PRAGMA page_size = " + std::to_string(size) + "; PRAGMA user_version = 3");
    make_table(db, 300);
    db.run("CREATE INDEX i ON t(v)");
    const Captured captured = capture(path);
    CHECK(captured.image == read_file(path));
    CHECK(same_pages(captured.image, online_backup(path)));
    CHECK(fact(captured, "mode") == "backup");
    CHECK(fact(captured, "user_version") == "3");
    CHECK(fact(captured, "schema_version") == db.value("PRAGMA schema_version"));
    CHECK(fact(captured, "commits_blocked_ms") != "");
    CHECK(db.attempt("INSERT INTO t(v) VALUES(1)") == SQLITE_OK);
  }
}

TEST_CASE_FIXTURE(Fixture, "sqlite rollback journal: one, two and three pages") {
  for (int tables = 0; tables < 3; ++tables) {
    fs::remove(path);
    Database db{path};
    db.run("PRAGMA user_version = 1");
    for (int i = 0; i < tables; ++i) db.run("CREATE TABLE t" + std::to_string(i) + "(a)");
    const Captured captured = capture(path);
    CHECK(captured.image == read_file(path));
    CHECK(captured.image.size() == 4096U * static_cast<unsigned>(tables + 1));
  }
}

TEST_CASE_FIXTURE(Fixture, "sqlite: an empty file is a database of no pages, and its companions stay") {
  write_file_atomic(path, {});
  write_file_atomic(beside("-wal"), as_bytes("left over"));
  const Captured captured = capture(path);
  CHECK(captured.image.empty());
  CHECK(captured.entry.size == 0);
  CHECK(fact(captured, "page_count") == "0");
  CHECK(fs::file_size(beside("-wal")) == 9);  // SQLite itself would have deleted it
}

TEST_CASE_FIXTURE(Fixture, "sqlite rollback journal: an uncommitted transaction is not in the image, a lock is busy") {
  Database db{path};
  make_table(db, 100);
  const Bytes committed = read_file(path);
  db.run("BEGIN IMMEDIATE; DELETE FROM t");  // in the writer's memory so far
  CHECK(capture(path).image == committed);
  db.run("ROLLBACK; BEGIN EXCLUSIVE");
  CHECK(failure(path, impatient()) == ErrorKind::busy);
  db.run("ROLLBACK");
  CHECK(capture(path).image == committed);
}

TEST_CASE_FIXTURE(Fixture, "sqlite: a hot journal is rolled back in a copy, never in place") {
  const fs::path live = directory.path() / "live.db";
  Database db{live};
  make_table(db, 400);
  const Bytes committed = read_file(live);
  db.run("PRAGMA cache_size = 2; BEGIN; UPDATE t SET v = randomblob(700)");  // spills into the file
  REQUIRE(read_file(live) != committed);
  fs::copy_file(live, path);
  fs::copy_file(live.native() + "-journal", beside("-journal"));
  const Bytes torn = read_file(path);
  const Bytes journal = read_file(beside("-journal"));

  const Captured captured = capture(path);
  CHECK(fact(captured, "mode") == "staged");
  CHECK(captured.image == committed);
  CHECK(check_integrity(captured.image) == "ok");
  CHECK(read_file(path) == torn);
  CHECK(read_file(beside("-journal")) == journal);
}

TEST_CASE_FIXTURE(Fixture, "sqlite: an application that comes back while its files are copied is read live") {
  const OtherProcess application{[&](const OtherProcess::Steps& step) {
    step.wait();
    {
      const fs::path live = directory.path() / "live.db";
      Database db{live};
      make_table(db, 400);
      db.run("PRAGMA cache_size = 2; BEGIN; UPDATE t SET v = 0");
      fs::copy_file(live, path);
      fs::copy_file(live.native() + "-journal", beside("-journal"));
    }
    step.done();
    wait_for_shared_lock(path);
    Database db{path};
    db.run("PRAGMA busy_timeout = 20000; PRAGMA synchronous = OFF");
    while (true) {
      db.run("INSERT INTO t(v) VALUES(1)");
      ::usleep(2000);
    }
  }};
  application.go();
  const Captured captured = capture(path);
  CHECK(check_integrity(captured.image) == "ok");
}

TEST_CASE_FIXTURE(Fixture, "sqlite: a signal ends the wait for a lock") {
  Database db{path};
  make_table(db, 10);
  db.run("BEGIN EXCLUSIVE");
  set_interrupted(SIGTERM);
  SqliteOptions patient;
  patient.busy_timeout = std::chrono::hours{1};
  try {
    capture(path, patient);
    FAIL("captured through an exclusive lock");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::interrupted);
  }
  set_interrupted(0);
}

TEST_CASE_FIXTURE(Fixture, "sqlite: an application's first transaction that died leaves no pages") {
  const fs::path live = directory.path() / "live.db";
  Database db{live};
  db.run("PRAGMA cache_size = 2; BEGIN");
  make_table(db, 400);
  fs::copy_file(live, path);
  fs::copy_file(live.native() + "-journal", beside("-journal"));
  REQUIRE(fs::file_size(path) > 0);
  CHECK(capture(path).image.empty());
}

TEST_CASE_FIXTURE(Fixture, "sqlite: another user's resting database in WAL mode is copied, and gets no files") {
  if (!can_change_user("capture as another user")) return;
  const Bytes expected = make_resting_wal();
  ::chmod(directory.path().c_str(), 0777);
  give_to(k_application);
  CHECK(as_user(k_nobody, [&] {
    const Captured captured = capture(path);
    return fact(captured, "mode") == "staged" && same_pages(captured.image, expected);
  }));
  CHECK_FALSE(fs::exists(beside("-shm")));
  CHECK(as_user(k_application, [&] {
    Database db{path};
    db.run("INSERT INTO t(v) VALUES(1)");
    return db.value("SELECT count(*) FROM t") == "301";
  }));
}

TEST_CASE_FIXTURE(Fixture, "sqlite: root leaves files that the application can write") {
  if (!can_change_user("capture by root of a user's database")) return;
  const Bytes expected = make_resting_wal();
  fs::remove(beside("-wal"));
  {
    Database db{path};
    db.run("PRAGMA user_version = 1");
  }
  give_to(k_application);
  ::chown(directory.path().c_str(), k_application, k_application);
  CHECK(fact(capture(path), "mode") == "wal");
  for (const char* suffix : {"-wal", "-shm"}) {
    struct stat status {};
    REQUIRE(::stat(beside(suffix).c_str(), &status) == 0);
    CHECK(status.st_uid == k_application);
  }
  CHECK(as_user(k_application, [&] {
    Database db{path};
    db.run("PRAGMA user_version = 2; PRAGMA wal_checkpoint(TRUNCATE)");
    return db.value("PRAGMA user_version") == "2";
  }));
}

TEST_CASE_FIXTURE(Fixture, "sqlite: root that may not become its owner copies it, and makes no files") {
  if (!can_change_user("capture by root without CAP_SETUID")) return;
  const Bytes expected = make_resting_wal();
  give_to(k_application);
  ::chown(directory.path().c_str(), k_application, k_application);
  CHECK(as_user(0, [&] {
    drop_capability(CAP_SETUID);
    drop_capability(CAP_SETGID);
    const Captured captured = capture(path);
    return fact(captured, "mode") == "staged" && same_pages(captured.image, expected);
  }));
  CHECK_FALSE(fs::exists(beside("-shm")));
  CHECK(as_user(k_application, [&] {
    Database db{path};
    db.run("INSERT INTO t(v) VALUES(1)");
    return db.value("SELECT count(*) FROM t") == "301";
  }));
}

TEST_CASE_FIXTURE(Fixture, "sqlite: a read-only directory, as its owner and as another") {
  if (!can_change_user("capture in a read-only directory")) return;
  const Bytes expected = make_resting_wal();
  for (const unsigned owner : {0U, k_nobody}) {
    CAPTURE(owner);
    give_to(owner);
    ::chmod(directory.path().c_str(), 0555);
    CHECK(as_user(k_nobody, [&] {
      const Captured captured = capture(path);
      return fact(captured, "mode") == "staged" && same_pages(captured.image, expected);
    }));
    CHECK_FALSE(fs::exists(beside("-shm")));
  }
  ::chmod(directory.path().c_str(), 0777);
  CHECK(as_user(k_nobody, [&] {
    Database db{path};
    db.run("INSERT INTO t(v) VALUES(1)");
    return db.value("SELECT count(*) FROM t") == "301";
  }));
}

TEST_CASE_FIXTURE(Fixture, "sqlite: another user's log without a frame, left by a writer that was killed") {
  if (!can_change_user("capture of a log without a frame")) return;
  make_resting_wal();
  { Database{path}.run("PRAGMA wal_checkpoint(TRUNCATE)"); }
  const Bytes expected = read_file(path);
  {
    Database db{path};
    db.run("PRAGMA user_version = 1");
    fs::copy_file(beside("-wal"), beside("-kept"));
  }
  fs::rename(beside("-kept"), beside("-wal"));
  fs::resize_file(beside("-wal"), sqlite::k_wal_header_size);
  write_file_atomic(path, expected);
  write_file_atomic(beside("-shm"), Bytes(32768, 0));
  give_to(k_application);
  CHECK(as_user(k_nobody, [&] {
    const Captured captured = capture(path);
    return fact(captured, "mode") == "staged" && captured.image == expected;
  }));
}

TEST_CASE_FIXTURE(Fixture, "sqlite: another user's live database is read live, -shm writable or not") {
  if (!can_change_user("capture of another user's live database")) return;
  const OtherProcess application{[&](const OtherProcess::Steps& step) {
    Database db{path};
    for (int i = 0;; ++i) {
      step.wait();
      if (i == 0) {
        db.run("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
        make_table(db, 300);
      } else {
        db.run("UPDATE t SET v = randomblob(100) WHERE id < 100");
      }
      step.done();
    }
  }};
  for (const mode_t mode : {0644U, 0666U}) {
    CAPTURE(mode);
    const std::string way = mode == 0644 ? "backup" : "wal";
    application.go();
    const Bytes expected = online_backup(path);
    for (const char* suffix : {"", "-wal", "-shm"}) ::chmod(beside(suffix).c_str(), mode);
    CHECK(as_user(k_nobody, [&] {
      const Captured captured = capture(path);
      return fact(captured, "mode") == way && same_pages(captured.image, expected) &&
             fact(captured, "schema_version") == "1" && fact(captured, "commits_blocked_ms") == "0";
    }));
  }
}

TEST_CASE_FIXTURE(Fixture, "sqlite: exclusive without -shm, seen by another user, is busy") {
  if (!can_change_user("the lock of a database without -shm")) return;
  const OtherProcess application{[&](const OtherProcess::Steps& step) {
    step.wait();
    Database db{path};
    db.run("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
    make_table(db, 50);
    step.done();
    step.wait();
  }};
  application.go();
  REQUIRE_FALSE(fs::exists(beside("-shm")));
  CHECK(as_user(k_nobody, [&] { return failure(path, impatient()) == ErrorKind::busy; }));
}

TEST_CASE_FIXTURE(Fixture, "sqlite: formats of forks are refused unless told otherwise") {
  { make_table(*std::make_unique<Database>(path), 20); }
  const Bytes good = read_file(path);
  SUBCASE("wal2") {
    patch(18, Bytes{3, 3});
  }
  SUBCASE("wal2 log") {
    write_file_atomic(beside("-wal2"), {});
  }
  SUBCASE("libsql") {
    Bytes footer(34, 1);
    std::copy_n("LIBSQL\0\0", 8, footer.begin());
    patch(good.size(), footer);
    SqliteOptions trusting = quick_options();
    trusting.assume_local = true;
    CHECK(capture(path, trusting).image == good);
  }
  try {
    capture(path);
    FAIL("captured");
  } catch (const SourceError& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(error.hint().find("--assume-local") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(Fixture, "sqlite: what is no database is refused, with advice where it is encrypted") {
  write_file_atomic(path, Bytes(8192, 0x5a));
  CHECK_FALSE(is_sqlite_database_file(path));
  CHECK_THROWS_WITH_AS(capture(path), doctest::Contains("not a SQLite database"), SourceError);
  write_file_atomic(beside("-wal"), Bytes(100, 1));
  try {
    capture(path);
    FAIL("captured");
  } catch (const SourceError& error) {
    CHECK(error.hint().find("encrypted") != std::string::npos);
  }
  CHECK_THROWS_AS(capture(directory.path()), SourceError);
  CHECK_THROWS_AS(capture(directory.path() / "absent.db"), SourceError);
}

TEST_CASE_FIXTURE(Fixture, "sqlite: a file with the magic and nothing behind it is an error, not a crash") {
  { make_table(*std::make_unique<Database>(path), 20); }
  const Bytes good = read_file(path);
  for (const std::size_t length : {std::size_t{16}, std::size_t{99}, std::size_t{100}, std::size_t{600}}) {
    CAPTURE(length);
    write_file_atomic(path, ByteView{good}.first(length));
    CHECK_THROWS_AS(capture(path), SourceError);
  }
}

TEST_CASE_FIXTURE(Fixture, "sqlite source: one entry with the file's own metadata") {
  { make_table(*std::make_unique<Database>(path), 20); }
  ::chmod(path.c_str(), 0640);
  const fs::path link = directory.path() / "link.db";
  fs::create_symlink(path, link);
  const Time before = std::chrono::system_clock::now();
  SqliteSource source{link, quick_options()};
  CHECK(source.kind() == SourceKind::sqlite);
  CHECK(source.location() == fs::canonical(path).native());
  CHECK(source.estimate() == fs::file_size(path));
  auto item = source.next();
  REQUIRE(item);
  CHECK(item->entry.path == "link.db");
  CHECK_FALSE(item->content->always_read());
  const auto content = item->content->open(item->entry);
  CHECK(read_to_end(*content) == read_file(path));
  CHECK(item->entry.mode == 0640);
  CHECK(item->entry.uid == ::geteuid());
  CHECK(item->entry.size == fs::file_size(path));
  CHECK(item->entry.type == EntryType::file);
  CHECK(source.finish().cut_point >= before);
  CHECK_FALSE(source.next());
  CHECK(source.problems().empty());
}
