#include "sqlite_support.hpp"

#include "util/json.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <grp.h>
#include <stdexcept>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sys/wait.h>

namespace cairn::test {

namespace {

[[noreturn]] void fail(sqlite3* db, const std::string& sql) {
  throw std::runtime_error{sql + ": " + sqlite3_errmsg(db)};
}

}  // namespace

Database::Database(const fs::path& path) {
  sqlite3* db = nullptr;
  const int result = sqlite3_open(path.c_str(), &db);
  m_db.reset(db);
  if (result != SQLITE_OK) fail(db, "open");
}

int Database::attempt(const std::string& sql) {
  return sqlite3_exec(m_db.get(), sql.c_str(), nullptr, nullptr, nullptr);
}

void Database::run(const std::string& sql) {
  if (attempt(sql) != SQLITE_OK) fail(m_db.get(), sql);
}

std::string Database::value(const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(m_db.get(), sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) fail(m_db.get(), sql);
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement{raw, sqlite3_finalize};
  if (sqlite3_step(raw) != SQLITE_ROW) fail(m_db.get(), sql);
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw, 0));
  return text == nullptr ? "" : text;
}

void make_table(Database& db, int rows) {
  db.run("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
  db.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" + std::to_string(rows) +
         ") INSERT INTO t SELECT i, randomblob(500) FROM n");
}

SqliteOptions quick_options() {
  SqliteOptions options;
  options.busy_timeout = std::chrono::milliseconds{5000};
  return options;
}

Bytes read_to_end(Content& content, std::size_t buffer_size) {
  Bytes all;
  Bytes buffer(buffer_size);
  while (true) {
    const Content::Piece piece = content.read(buffer);
    if (piece.kind == Content::Piece::Kind::end) break;
    REQUIRE(piece.kind == Content::Piece::Kind::data);
    append(all, ByteView{buffer}.first(static_cast<std::size_t>(piece.length)));
  }
  return all;
}

Captured capture(const fs::path& path, const SqliteOptions& options) {
  SqliteOpener opener{path, options};
  Captured captured;
  const auto content = opener.open(captured.entry);
  captured.image = read_to_end(*content);
  if (content->finish() != Content::Outcome::consistent) throw std::runtime_error{"the database did not stand still"};
  captured.facts = content->facts();
  if (captured.image.size() != content->expected_size()) throw std::runtime_error{"size differs"};
  return captured;
}

std::string fact(const Captured& captured, const std::string& name) {
  const Json facts = Json::parse("{" + captured.facts + "}");
  const Json* found = facts.find(name);
  if (found == nullptr) return "";
  return found->is_string() ? found->string() : std::to_string(static_cast<std::int64_t>(found->number()));
}

Bytes online_backup(const fs::path& path) {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  const fs::path copy_path = directory.path() / "copy.db";
  {
    Database source{path};
    Database copy{copy_path};
    sqlite3_backup* backup = sqlite3_backup_init(copy.handle(), "main", source.handle(), "main");
    REQUIRE(backup != nullptr);
    CHECK(sqlite3_backup_step(backup, -1) == SQLITE_DONE);
    sqlite3_backup_finish(backup);
    // The source must not be checkpointed by this oracle.
    sqlite3_db_config(source.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  return read_file(copy_path);
}

bool same_pages(Bytes a, Bytes b) {
  for (Bytes* image : {&a, &b}) {
    if (image->size() < 100) continue;
    std::fill_n(image->begin() + 24, 4, std::uint8_t{0});
    std::fill_n(image->begin() + 40, 4, std::uint8_t{0});
    std::fill_n(image->begin() + 92, 8, std::uint8_t{0});
  }
  return a == b;
}

std::string check_integrity(const Bytes& image) {
  const TemporaryDirectory directory{fs::temp_directory_path()};
  write_file_atomic(directory.path() / "image.db", image);
  Database db{directory.path() / "image.db"};
  return db.value("PRAGMA integrity_check");
}

void OtherProcess::Steps::wait() const {
  char byte = 0;
  if (::read(in, &byte, 1) != 1) ::_exit(0);  // the test is over
}

void OtherProcess::Steps::done() const {
  if (::write(out, "x", 1) != 1) ::_exit(1);
}

OtherProcess::OtherProcess(const std::function<void(const Steps&)>& body) {
  int to_child[2];
  int to_parent[2];
  REQUIRE(::pipe2(to_child, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(to_parent, O_CLOEXEC) == 0);
  m_pid = ::fork();
  REQUIRE(m_pid >= 0);
  if (m_pid == 0) {
    ::close(to_child[1]);
    ::close(to_parent[0]);
    try {
      body({to_child[0], to_parent[1]});
    } catch (const std::exception& error) {
      std::fprintf(stderr, "other process: %s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  ::close(to_child[0]);
  ::close(to_parent[1]);
  m_in = UniqueFd{to_parent[0]};
  m_out = UniqueFd{to_child[1]};
}

OtherProcess::~OtherProcess() {
  ::kill(m_pid, SIGKILL);
  ::waitpid(m_pid, nullptr, 0);
}

void OtherProcess::go() const {
  char byte = 0;
  REQUIRE(::write(m_out.get(), "x", 1) == 1);
  REQUIRE(::read(m_in.get(), &byte, 1) == 1);
}

bool as_user(unsigned uid, const std::function<bool()>& body) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    bool good = false;
    try {
      good = ::setgroups(0, nullptr) == 0 && ::setgid(uid) == 0 && ::setuid(uid) == 0 && body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "as user %u: %s\n", uid, error.what());
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool can_change_user(const char* what) {
  if (::geteuid() == 0) return true;
  MESSAGE("SKIPPED: needs root: " << what);
  return false;
}

}  // namespace cairn::test
