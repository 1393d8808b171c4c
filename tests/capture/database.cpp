#include "database.hpp"

namespace cairn::hammer {

Failure::Failure(const std::string& what, sqlite3* db)
    : std::runtime_error(what + ": " + sqlite3_errmsg(db)), m_code(sqlite3_errcode(db) & 0xff) {}

bool Failure::is_busy() const noexcept {
  return hammer::is_busy(m_code);
}

bool is_busy(int result) noexcept {
  const int code = result & 0xff;
  return code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_PROTOCOL;
}

Database::Database(const fs::path& path, std::chrono::milliseconds busy_timeout) {
  sqlite3* db = nullptr;
  const int result = sqlite3_open(path.c_str(), &db);
  m_db.reset(db);
  if (result != SQLITE_OK) throw Failure{"unable to open " + path.native(), db};
  sqlite3_busy_timeout(db, static_cast<int>(busy_timeout.count()));
}

int Database::attempt(const std::string& sql) {
  return sqlite3_exec(m_db.get(), sql.c_str(), nullptr, nullptr, nullptr);
}

void Database::run(const std::string& sql) {
  if (attempt(sql) != SQLITE_OK) throw Failure{sql, m_db.get()};
}

std::string Database::text(const char* sql) {
  Statement statement{*this, sql};
  return statement.step() ? statement.text(0) : "";
}

std::int64_t Database::integer(const char* sql) {
  Statement statement{*this, sql};
  return statement.step() ? statement.integer(0) : 0;
}

Statement::Statement(Database& db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db.handle(), sql, -1, &statement, nullptr) != SQLITE_OK) throw Failure{sql, db.handle()};
  m_statement.reset(statement);
}

Statement& Statement::bind(int at, std::int64_t value) {
  sqlite3_bind_int64(m_statement.get(), at, value);
  return *this;
}

Statement& Statement::bind(int at, const Bytes& value) {
  sqlite3_bind_blob(m_statement.get(), at, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(m_statement.get());
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) {
    const Failure failure{sqlite3_sql(m_statement.get()), sqlite3_db_handle(m_statement.get())};
    reset();
    throw failure;
  }
  reset();
  return false;
}

void Statement::run() {
  while (step()) {
  }
}

ByteView Statement::blob(int column) const {
  const void* bytes = sqlite3_column_blob(m_statement.get(), column);
  return {static_cast<const std::uint8_t*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(m_statement.get(), column))};
}

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(m_statement.get(), column));
  return text == nullptr ? "" : text;
}

}  // namespace cairn::hammer
