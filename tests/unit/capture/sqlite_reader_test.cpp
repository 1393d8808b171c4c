// The child process that reads databases: whose rights it has, what lies beside a database to harm, and its end.
#include "capture/directory_source.hpp"
#include "capture/sqlite/database.hpp"
#include "capture/sqlite/format.hpp"
#include "capture/sqlite/identity.hpp"
#include "capture/sqlite/protocol.hpp"
#include "capture/sqlite/reader_process.hpp"
#include "sqlite_support.hpp"
#include "util/error.hpp"
#include "util/message_socket.hpp"
#include "util/open_directories.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <thread>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/stat.h>

using namespace cairn;
using namespace cairn::test;

namespace {

constexpr unsigned k_alice = 12345;
constexpr unsigned k_bob = 12346;

struct Fixture {
  TemporaryDirectory directory{fs::temp_directory_path()};
  fs::path home = directory.path() / "home";
  fs::path path = home / "app.db";

  Fixture() {
    fs::create_directory(home);
    ::chmod(directory.path().c_str(), 0755);
  }
  fs::path beside(const char* suffix) const { return path.native() + suffix; }

  std::unique_ptr<Database> create(const char* mode = "WAL") const {
    auto db = std::make_unique<Database>(path);
    db->run(std::string{"PRAGMA journal_mode = "} + mode);
    db->run("PRAGMA wal_autocheckpoint = 0");
    make_table(*db, 200);
    return db;
  }
  void give(unsigned uid, unsigned gid) const {
    for (const auto& item : fs::directory_iterator(home)) {
      REQUIRE(::lchown(item.path().c_str(), uid, gid) == 0);
    }
    REQUIRE(::chown(home.c_str(), uid, gid) == 0);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& item : fs::directory_iterator(home)) all.push_back(item.path().filename());
    std::sort(all.begin(), all.end());
    return all;
  }
  // The tree as a source: what is stored, and what is said.
  struct Tree {
    std::map<std::string, Bytes> files;
    std::string problems;
  };
  Tree capture_tree() const {
    DirectoryOptions options;
    options.path = home;
    options.sqlite = quick_options();
    DirectorySource source{options};
    Tree tree;
    while (auto item = source.next()) {
      if (!item->content) continue;
      try {
        const auto content = item->content->open(item->entry);
        tree.files[item->entry.path] = read_to_end(*content);
        tree.problems += content->problem();
      } catch (const SourceError& error) {
        tree.problems += error.message() + "\n";
      }
    }
    for (const auto& problem : source.problems()) tree.problems += problem.message + "\n";
    return tree;
  }
};

// Children of this process, of whatever thread, that read databases.
std::vector<pid_t> readers() {
  std::vector<pid_t> found;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream list{task.path() / "children"};
    for (pid_t pid = 0; list >> pid;) {
      std::ifstream command{"/proc/" + std::to_string(pid) + "/comm"};
      std::string name;
      if (std::getline(command, name) && name == "exe") found.push_back(pid);
    }
  }
  return found;
}

std::string status_line(pid_t pid, const std::string& name) {
  std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return line.substr(name.size() + 1);
  }
  return "";
}

std::string error_of(const fs::path& path, const SqliteOptions& options = quick_options()) {
  try {
    capture(path, options);
  } catch (const SourceError& error) {
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "sqlite reader: it has the owner's user and groups, and no capability") {
  if (!can_change_user("the identity of the reader")) return;
  const auto db = create();
  give(k_alice, k_alice);
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  const auto content = opener.open(entry);
  const auto children = readers();
  REQUIRE(children.size() == 1);
  const std::string id = std::to_string(k_alice);
  CHECK(status_line(children[0], "Uid") == "\t" + id + "\t" + id + "\t" + id + "\t" + id);
  CHECK(status_line(children[0], "Gid") == "\t" + id + "\t" + id + "\t" + id + "\t" + id);
  CHECK(status_line(children[0], "Groups").find_first_not_of(" \t") == std::string::npos);
  CHECK(status_line(children[0], "CapEff") == "\t0000000000000000");
  CHECK(status_line(children[0], "CapPrm") == "\t0000000000000000");
  CHECK(status_line(children[0], "NoNewPrivs") == "\t1");
  struct stat status {};
  REQUIRE(::stat(("/proc/" + std::to_string(children[0]) + "/environ").c_str(), &status) == 0);
  CHECK(status.st_uid == 0);  // no other process of his may look into it
  read_to_end(*content);
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: root's own database is read without a capability, too") {
  if (!can_change_user("the reader as root")) return;
  const auto db = create();
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  const auto content = opener.open(entry);
  const auto children = readers();
  REQUIRE(children.size() == 1);
  CHECK(status_line(children[0], "CapEff") == "\t0000000000000000");
  CHECK(read_to_end(*content).size() == content->expected_size());
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: root's database in a user's directory is nobody's to read") {
  if (!can_change_user("root's database in a user's directory")) return;
  { create("DELETE"); }
  ::chown(home.c_str(), k_alice, k_alice);
  const Captured captured = capture(path);
  CHECK(fact(captured, "mode") == "staged");
  CHECK(captured.image == read_file(path));
  // And a -shm that root left beside a user's database makes nobody root.
  ::chown(path.c_str(), k_alice, k_alice);
  const auto db = std::make_unique<Database>(path);
  db->run("PRAGMA journal_mode = WAL; INSERT INTO t(v) VALUES(1)");
  for (const char* suffix : {"-wal", "-shm"}) REQUIRE(::chown(beside(suffix).c_str(), 0, 0) == 0);
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  const auto content = opener.open(entry);
  for (const pid_t pid : readers()) CHECK(status_line(pid, "Uid").find("\t0") == std::string::npos);
  CHECK(same_pages(read_to_end(*content), online_backup(path)));
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: a -shm of another user is used by the one who can use it") {
  if (!can_change_user("a database of one user, a -shm of another")) return;
  const auto db = create();
  give(k_alice, k_bob);
  ::chmod(path.c_str(), 0640);
  for (const char* suffix : {"-shm", "-wal"}) {
    ::chown(beside(suffix).c_str(), k_bob, k_bob);
    ::chmod(beside(suffix).c_str(), 0640);
  }
  const Captured captured = capture(path);
  CHECK(fact(captured, "mode") == "wal");
  CHECK(same_pages(captured.image, online_backup(path)));
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: what its owner cannot reach is opened for him and copied") {
  if (!can_change_user("a database in another's directory")) return;
  Bytes expected;
  { const auto db = create("DELETE"); }
  expected = read_file(path);
  give(k_alice, k_alice);
  ::chown(home.c_str(), k_bob, k_bob);
  ::chmod(home.c_str(), 0700);
  const Captured captured = capture(path);
  CHECK(fact(captured, "mode") == "staged");
  CHECK(captured.image == expected);
  CHECK(names() == std::vector<std::string>{"app.db"});
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: nothing beside a database makes it wait, or opens what is no file") {
  const char* const mode = "DELETE";
  { create(mode); }
  const Bytes expected = read_file(path);
  for (const char* suffix : {"-journal", "-wal", "-shm"}) {
    CAPTURE(suffix);
    REQUIRE(::mkfifo(beside(suffix).c_str(), 0666) == 0);
    const Tree tree = capture_tree();
    REQUIRE(tree.files.contains("app.db"));
    CHECK(tree.files.at("app.db") == expected);
    fs::remove(beside(suffix));
  }
  for (const char* suffix : {"-journal", "-wal"}) {
    CAPTURE(suffix);
    fs::create_symlink("/etc/passwd", beside(suffix));
    CHECK(error_of(path).find("is no regular file") != std::string::npos);
    fs::remove(beside(suffix));
  }
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: a second name of the database beside it costs no lock") {
  const auto db = create();
  fs::create_hard_link(path, beside("-journal"));
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  std::unique_ptr<Content> content;
  try {
    content = opener.open(entry);
  } catch (const SourceError&) {
    return;  // refused is right as well
  }
  CHECK(db->value("PRAGMA wal_checkpoint(TRUNCATE)") == "1");
  read_to_end(*content);
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: a log counts whatever the header says") {
  const auto live = create();
  const fs::path copy = directory.path() / "copy.db";
  live->run("VACUUM INTO '" + copy.native() + "'");
  live->run("INSERT INTO t(v) VALUES('after the copy')");
  const Bytes bytes = read_file(copy);
  REQUIRE(sqlite::parse_header(bytes)->read_version == 1);
  {
    const UniqueFd fd = open_file(path, O_WRONLY);
    write_at(fd.get(), bytes, 0, path);
    REQUIRE(::ftruncate(fd.get(), static_cast<off_t>(bytes.size())) == 0);
  }
  live->run("INSERT INTO t(v) VALUES('later')");
  const Bytes expected = online_backup(path);
  const Captured captured = capture(path);
  CHECK(fact(captured, "mode") == "wal");
  CHECK(same_pages(captured.image, expected));
  const fs::path image = directory.path() / "image.db";
  write_file_atomic(image, captured.image);
  CHECK(Database{image}.value("SELECT count(*) FROM t WHERE v = 'later'") == "1");
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: the same where nobody has it open any more, by its owner and by a copy") {
  const fs::path kept = directory.path() / "kept";
  {
    const auto live = create();
    live->run("VACUUM INTO '" + (directory.path() / "copy.db").native() + "'");
    const Bytes bytes = read_file(directory.path() / "copy.db");
    const UniqueFd fd = open_file(path, O_WRONLY);
    write_at(fd.get(), bytes, 0, path);
    live->run("INSERT INTO t(v) VALUES('later')");
    fs::create_directory(kept);
    for (const char* suffix : {"", "-wal"}) fs::copy_file(beside(suffix), kept / (std::string{"app.db"} + suffix));
  }
  const fs::path image = directory.path() / "image.db";
  const auto rows = [&](const Captured& captured) {
    write_file_atomic(image, captured.image);
    return Database{image}.value("SELECT count(*) FROM t WHERE v = 'later'");
  };
  const std::string expected = "1";
  ::chmod(kept.c_str(), 0555);
  if (::geteuid() == 0) {
    for (const auto& item : fs::directory_iterator(kept)) REQUIRE(::chown(item.path().c_str(), k_alice, k_alice) == 0);
    const Captured copied = capture(kept / "app.db");
    CHECK(fact(copied, "mode") == "staged");
    CHECK(rows(copied) == expected);
  }
  ::chmod(kept.c_str(), 0755);
  if (::geteuid() == 0) REQUIRE(::chown(kept.c_str(), k_alice, k_alice) == 0);
  CHECK(rows(capture(kept / "app.db")) == expected);
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: a sparse file that begins like a database takes no room and no time") {
  { create("DELETE"); }
  const Bytes expected = read_file(path);
  REQUIRE(::truncate(path.c_str(), off_t{1} << 40) == 0);
  SqliteOptions options = quick_options();
  CHECK(capture(path, options).image == expected);
  // Its header may say that all of that is the database.
  const UniqueFd fd = open_file(path, O_WRONLY);
  const std::uint8_t pages[] = {0x10, 0x00, 0x00, 0x00};
  write_at(fd.get(), pages, 28, path);
  SqliteOpener opener{path, options};
  Entry entry;
  const auto content = opener.open(entry);
  std::uint64_t data = 0;
  std::uint64_t holes = 0;
  Bytes buffer(1 << 20);
  while (true) {
    const auto piece = content->read(buffer);
    if (piece.kind == Content::Piece::Kind::end) break;
    (piece.kind == Content::Piece::Kind::hole ? holes : data) += piece.length;
  }
  CHECK(data + holes == std::uint64_t{1} << 40);
  CHECK(data <= expected.size() + 65536);
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: no room for a copy is that file's failure") {
  const auto db = create("DELETE");
  if (!can_change_user("a full staging directory")) return;
  const fs::path staging = directory.path() / "staging";
  fs::create_directory(staging);
  REQUIRE(std::system(("mount -t tmpfs -o size=32k tmpfs " + staging.native()).c_str()) == 0);
  SqliteOptions options = quick_options();
  options.staging_parent = staging;
  const std::string message = error_of(path, options);
  CHECK(std::system(("umount " + staging.native()).c_str()) == 0);
  CHECK(message.find("half of what is free") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: a -shm cut short under it ends the child, not the run") {
  // A writer's index that a reader maps; then it has no pages any more.
  const OtherProcess hostile{[&](const OtherProcess::Steps& step) {
    step.wait();
    const auto db = create();
    step.done();
    step.wait();
    const UniqueFd fd = open_file(beside("-shm"), O_RDWR);
    if (::ftruncate(fd.get(), 0) != 0) throw std::runtime_error{"truncate"};
    step.done();
    step.wait();
  }};
  hostile.go();
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  const auto content = opener.open(entry);
  hostile.go();
  // It ends with an answer or an error, whatever it meets when it lets go.
  try {
    read_to_end(*content);
    static_cast<void>(content->finish());
  } catch (const SourceError& error) {
    CHECK(error.message().find("app.db") != std::string::npos);
  }
  // The next database of the same owner has a child again.
  { Database{home / "next.db"}.run("CREATE TABLE t(a)"); }
  CHECK(capture(home / "next.db").image.size() == 8192);
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: killed while the pages are read, the capture fails") {
  const auto db = create();
  SqliteOpener opener{path, quick_options()};
  Entry entry;
  {
    const auto content = opener.open(entry);
    Bytes page(4096);
    REQUIRE(content->read(page).length == page.size());
    for (const pid_t pid : readers()) ::kill(pid, SIGKILL);
    try {
      read_to_end(*content);
      FAIL("nobody held the database, and it was taken for one state");
    } catch (const SourceError& error) {
      CHECK(error.message().find("signal 9") != std::string::npos);
      CHECK(error.kind() == ErrorKind::failed);
    }
  }
  CHECK(same_pages(capture(path).image, online_backup(path)));
}

TEST_CASE_FIXTURE(Fixture,
                  "sqlite reader: killed at any moment, it is a failure or one state, and the next one works") {
  for (const char* mode : {"WAL", "DELETE"}) {
    CAPTURE(mode);
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(beside(suffix));
    const auto db = create(mode);
    const Bytes expected = online_backup(path);
    int failed = 0;
    for (unsigned i = 0; i < 40; ++i) {
      std::atomic<bool> done = false;
      std::thread killer{[&] {
        while (!done && readers().empty()) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::microseconds{i * 500});
        // Once, or whichever is started.
        do {
          for (const pid_t pid : readers()) ::kill(pid, SIGKILL);
        } while (!done && i % 4 == 0);
      }};
      try {
        const Captured captured = capture(path);
        CHECK(same_pages(captured.image, expected));
      } catch (const SourceError& error) {
        CHECK(error.kind() == ErrorKind::failed);
        ++failed;
      }
      done = true;
      killer.join();
    }
    CHECK(failed > 0);
    CHECK(same_pages(capture(path).image, expected));
    CHECK(readers().empty());
  }
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: children end with the last database") {
  const auto db = create();
  capture(path);
  CHECK(readers().empty());
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: locks of many databases take the time for all of them together") {
  std::vector<std::unique_ptr<Database>> all;
  SqliteOptions options;
  options.busy_timeout = std::chrono::hours{1};
  options.lock_budget = std::chrono::milliseconds{200};
  const auto shared = std::make_shared<sqlite::Readers>(options);
  int busy = 0;
  for (int i = 0; i < 10; ++i) {
    const fs::path file = home / (std::to_string(i) + ".db");
    all.push_back(std::make_unique<Database>(file));
    make_table(*all.back(), 10);
    all.back()->run("BEGIN EXCLUSIVE");
    SourcePath place = find_source(file);
    SqliteOpener opener{shared, std::move(place.directory), place.name, file.native()};
    Entry entry;
    try {
      opener.open(entry);  // an hour each, were it not for the budget
    } catch (const SourceError& error) {
      busy += error.kind() == ErrorKind::busy ? 1 : 0;
    }
  }
  CHECK(busy == 10);
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: a schema of many megabytes costs its digest alone") {
  {
    Database db{path};
    db.run("PRAGMA writable_schema = ON; CREATE TABLE t(a)");
    // A comment is text of the schema, too.
    db.run("UPDATE sqlite_master SET sql = 'CREATE TABLE t(a /* ' || hex(zeroblob(150000000)) || ' */)'");
  }
  const Captured captured = capture(path);
  CHECK(fact(captured, "schema_sha256").empty());
  CHECK(captured.image == read_file(path));
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: a link of a user leads to his own files alone") {
  if (!can_change_user("links of users")) return;
  const fs::path secret = directory.path() / "secret";
  fs::create_directory(secret);
  { make_table(*std::make_unique<Database>(secret / "app.db"), 10); }
  { create("DELETE"); }
  give(k_alice, k_alice);
  fs::rename(home, directory.path() / "gone");
  fs::create_symlink(secret, home);
  REQUIRE(::lchown(home.c_str(), k_alice, k_alice) == 0);
  CHECK(error_of(path).find("symbolic link of user 12345") != std::string::npos);
  DirectoryOptions tree;
  tree.path = home;
  CHECK_THROWS_AS(DirectorySource{tree}, SourceError);
  // Root's own may lead anywhere, and his to what is his.
  REQUIRE(::lchown(home.c_str(), 0, 0) == 0);
  CHECK(error_of(path).empty());
  REQUIRE(::lchown(home.c_str(), k_alice, k_alice) == 0);
  REQUIRE(::chown((secret / "app.db").c_str(), k_alice, k_alice) == 0);
  REQUIRE(::chown(secret.c_str(), k_alice, k_alice) == 0);
  CHECK(error_of(path).empty());
}

TEST_CASE_FIXTURE(Fixture, "sqlite reader: a directory exchanged for a link while it waits leads nowhere") {
  if (!can_change_user("a directory exchanged under a capture")) return;
  const fs::path others = directory.path() / "others";
  fs::create_directory(others);
  const auto db = create("DELETE");
  give(k_alice, k_alice);
  fs::create_symlink(others, directory.path() / "link");
  db->run("BEGIN EXCLUSIVE");
  std::thread capturing{[&] {
    SqliteOptions options = quick_options();
    static_cast<void>(error_of(path, options));
  }};
  ::usleep(200'000);
  REQUIRE(::renameat2(AT_FDCWD, home.c_str(), AT_FDCWD, (directory.path() / "link").c_str(), RENAME_EXCHANGE) == 0);
  db->run("COMMIT");
  capturing.join();
  CHECK(fs::is_empty(others));
}

TEST_CASE("sqlite protocol: messages come back as they were") {
  sqlite::OpenRequest request;
  request.reach = sqlite::OpenRequest::Reach::by_descriptor;
  request.name = std::string("a\xff\n", 3);
  request.file = {7, 9};
  request.shown = "/x/y";
  request.patience = std::chrono::milliseconds{1234};
  request.assume_local = request.has_journal = request.write_live = true;
  const auto back = sqlite::decode_request(sqlite::encode(request));
  CHECK(back.reach == request.reach);
  CHECK(back.name == request.name);
  CHECK(back.file == request.file);
  CHECK(back.patience == request.patience);
  CHECK(back.assume_local);
  CHECK_FALSE(back.has_wal);
  CHECK(back.has_journal);
  CHECK_FALSE(back.demanding);
  CHECK_FALSE(back.settle);
  CHECK(back.write_live);

  sqlite::Opened opened;
  opened.kind = sqlite::Opened::Kind::overlay;
  opened.mode = "wal";
  opened.page_size = 65536;
  opened.page_count = UINT32_MAX;
  opened.first_page_begin = Bytes(100, 7);
  opened.schema_digest = "00";
  const auto answer = std::get<sqlite::Opened>(sqlite::decode_reply(sqlite::encode(sqlite::Reply{opened})));
  CHECK(answer.mode == "wal");
  CHECK(answer.page_count == UINT32_MAX);
  CHECK(answer.first_page_begin == opened.first_page_begin);
  const auto failed = std::get<sqlite::Failed>(sqlite::decode_reply(
      sqlite::encode(sqlite::Reply{sqlite::Failed{sqlite::Failed::Cause::content, ErrorKind::busy, "m", "h", {}}})));
  CHECK(failed.cause == sqlite::Failed::Cause::content);
  CHECK(failed.kind == ErrorKind::busy);
  CHECK(failed.message == "m");
  const auto committed = std::get<sqlite::Committed>(
      sqlite::decode_reply(sqlite::encode(sqlite::Reply{sqlite::Committed{Nanoseconds{5}, 7}})));
  CHECK(committed.blocked == Nanoseconds{5});
  CHECK(committed.log_bytes == 7);
  const auto copied = sqlite::decode_reply(sqlite::encode(sqlite::Reply{sqlite::LogCopied{false}}));
  CHECK_FALSE(std::get<sqlite::LogCopied>(copied).whole);
}

TEST_CASE("sqlite protocol: nonsense is refused") {
  const Bytes good = sqlite::encode(sqlite::Reply{sqlite::Opened{}});
  for (std::size_t length = 0; length < good.size(); ++length) {
    CHECK_THROWS_AS(sqlite::decode_reply(ByteView{good}.first(length)), Error);
  }
  Bytes bad = good;
  bad[0] = 99;
  CHECK_THROWS_AS(sqlite::decode_reply(bad), Error);
  bad = good;
  bad[8] = 9;
  CHECK_THROWS_AS(sqlite::decode_reply(bad), Error);
}

TEST_CASE("identity: a user's groups are his alone, whatever a file's group is") {
  const auto nobody = sqlite::identity_of_user(65534, 42);
  CHECK(nobody.uid == 65534);
  CHECK(nobody.gid != 42);
  CHECK(std::find(nobody.groups.begin(), nobody.groups.end(), 42U) == nobody.groups.end());
  const auto unknown = sqlite::identity_of_user(k_alice, k_alice);
  CHECK(unknown.gid == k_alice);
  CHECK(sqlite::identity_of_user(k_alice, 42).gid == 65534);
}
