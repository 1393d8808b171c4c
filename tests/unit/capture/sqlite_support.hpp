// A live database to capture, and oracles for what was captured.
#pragma once

#include "capture/sqlite/database.hpp"
#include "util/bytes.hpp"
#include "util/file.hpp"

#include <functional>
#include <memory>
#include <string>

#include <sqlite3.h>
#include <sys/types.h>

namespace cairn::test {

// A connection as an application has one. Throws std::runtime_error with SQLite's text.
class Database {
 public:
  explicit Database(const fs::path& path);
  void run(const std::string& sql);
  // SQLite's result code instead of a throw.
  int attempt(const std::string& sql);
  // First column of the first row.
  std::string value(const std::string& sql);
  sqlite3* handle() const { return m_db.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close(db); }
  };
  std::unique_ptr<sqlite3, Close> m_db;
};

// "CREATE TABLE t(id INTEGER PRIMARY KEY, v)" and rows of about half a kilobyte.
void make_table(Database& db, int rows);

SqliteOptions quick_options();

struct Captured {
  Bytes image;
  std::string facts;
  Entry entry;
};
Bytes read_to_end(Content& content, std::size_t buffer_size = 1 << 20);
Captured capture(const fs::path& path, const SqliteOptions& options = quick_options());
// The value of a member of the facts, as text.
std::string fact(const Captured& captured, const std::string& name);

// The image that SQLite's online backup makes of the database right now.
Bytes online_backup(const fs::path& path);
// Equal but for what a backup writes into page 1 of its own: change counter, schema version, library version.
bool same_pages(Bytes a, Bytes b);
// The image as a file on its own: "ok" from integrity_check, else what is wrong.
std::string check_integrity(const Bytes& image);

// Another process on the same database. Start it before this process opens the database: SQLite's state does not
// survive a fork. It runs body step by step: body waits for go() with Steps::wait and answers with Steps::done.
class OtherProcess {
 public:
  struct Steps {
    int in;
    int out;
    void wait() const;
    void done() const;
  };
  explicit OtherProcess(const std::function<void(const Steps&)>& body);
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  // Kills it.
  ~OtherProcess();
  // Lets it take its next step, and returns when that is done.
  void go() const;

 private:
  pid_t m_pid = -1;
  UniqueFd m_in;
  UniqueFd m_out;
};

// Runs body in a child process as this user (root needed), and gives whether it returned true. An exception is false,
// and its text goes to standard error.
bool as_user(unsigned uid, const std::function<bool()>& body);
// True for root; else says loudly what is not tested.
bool can_change_user(const char* what);

}  // namespace cairn::test
