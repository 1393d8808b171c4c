// A connection and a statement as an application has them.
#pragma once

#include "util/bytes.hpp"
#include "util/file.hpp"

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include <sqlite3.h>

namespace cairn::hammer {

// SQLite said no.
class Failure : public std::runtime_error {
 public:
  Failure(const std::string& what, sqlite3* db);
  // Somebody else had the turn: not a fault of anything.
  bool is_busy() const noexcept;
  int code() const noexcept { return m_code; }

 private:
  int m_code;  // primary
};

bool is_busy(int result) noexcept;

// Everything but attempt() throws Failure.
class Database {
 public:
  explicit Database(const fs::path& path, std::chrono::milliseconds busy_timeout = {});
  // SQLite's result.
  int attempt(const std::string& sql);
  void run(const std::string& sql);
  // First column of the first row.
  std::string text(const char* sql);
  std::int64_t integer(const char* sql);
  sqlite3* handle() const { return m_db.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close(db); }
  };
  std::unique_ptr<sqlite3, Close> m_db;
};

class Statement {
 public:
  Statement(Database& db, const char* sql);
  Statement& bind(int at, std::int64_t value);
  Statement& bind(int at, const Bytes& value);
  // True: there is a row. After the last one the statement can be used again. Throws Failure, ready to be used again.
  bool step();
  // Runs it to its end.
  void run();
  void reset() { sqlite3_reset(m_statement.get()); }
  std::int64_t integer(int column) const { return sqlite3_column_int64(m_statement.get(), column); }
  ByteView blob(int column) const;
  std::string text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> m_statement;
};

}  // namespace cairn::hammer
