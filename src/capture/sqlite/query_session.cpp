#include "capture/sqlite/query_session.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <climits>
#include <fmt/format.h>
#include <sqlite3.h>

namespace cairn::sqlite {

namespace {

using Clock = std::chrono::steady_clock;
using Cause = QueryFailed::Cause;

// Bytes of the answer that are sent together.
constexpr std::size_t k_rows_at_once = 48 * 1024;
// A row that was found is not held back for longer.
constexpr auto k_longest_wait = std::chrono::milliseconds{100};
// Steps of SQLite's machine between two looks at the clock: well below a millisecond.
constexpr int k_steps = 1000;
// Of a row's bytes, for what is no text and no blob: SQLite has no more columns than 2000.
constexpr std::size_t k_row_room = 64 * 1024;
// Of the memory: pages that SQLite keeps, and the longest value.
constexpr std::uint64_t k_cache_share = 4;
constexpr std::uint64_t k_value_share = 4;
constexpr int k_deepest_expression = 500;
constexpr int k_deepest_trigger = 1;

// Pragmas that read, and no more: without and with an argument.
constexpr std::array<std::string_view, 9> k_telling = {"application_id", "collation_list", "compile_options",
                                                       "database_list",  "encoding",       "freelist_count",
                                                       "page_count",     "page_size",      "schema_version"};
constexpr std::array<std::string_view, 3> k_more_telling = {"user_version", "function_list", "foreign_key_check"};
constexpr std::array<std::string_view, 10> k_telling_of = {
    "table_info",  "table_xinfo",      "table_list",        "index_list",      "index_info",
    "index_xinfo", "foreign_key_list", "foreign_key_check", "integrity_check", "quick_check"};

template <class Names>
bool is_among(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool may_ask(std::string_view pragma, const char* argument) {
  std::string name{pragma};
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c); });
  if (is_among(k_telling_of, name)) return true;
  return argument == nullptr && (is_among(k_telling, name) || is_among(k_more_telling, name));
}

bool is_of_content(int result) {
  switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return true;
    default:
      return false;
  }
}

class QuerySession {
 public:
  QuerySession(const QueryRequest& request, PageSupply& supply, const std::function<void(ByteView)>& rows)
      : m_request(request), m_vfs(supply, sizes_of(request)), m_rows(rows), m_deadline(Clock::now() + request.time) {}

  std::variant<QueryDone, QueryFailed> run() {
    if (auto failed = open()) return *std::move(failed);
    sqlite3_stmt* raw = nullptr;
    const char* rest = nullptr;
    const auto& sql = m_request.sql;
    const int prepared = sqlite3_prepare_v2(m_db.get(), sql.data(), static_cast<int>(sql.size()), &raw, &rest);
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement{raw, sqlite3_finalize};
    if (prepared != SQLITE_OK) return failure(prepared);
    if (raw == nullptr) return QueryFailed{Cause::sql, "there is no statement in it"};
    if (!is_blank(std::string_view{rest, static_cast<std::size_t>(sql.data() + sql.size() - rest)})) {
      return QueryFailed{Cause::sql, "there is more than one statement in it"};
    }
    if (sqlite3_stmt_readonly(raw) == 0) return QueryFailed{Cause::forbidden, "it does not only read"};
    if (sqlite3_column_count(raw) == 0) return QueryFailed{Cause::forbidden, "it has no result"};
    if (sqlite3_bind_parameter_count(raw) != 0) {
      return QueryFailed{Cause::sql, "it has a parameter, for which there is no value"};
    }
    return answer(raw);
  }

 private:
  struct Close {
    void operator()(sqlite3* db) const noexcept { sqlite3_close(db); }
  };

  static std::vector<std::uint64_t> sizes_of(const QueryRequest& request) {
    std::vector<std::uint64_t> sizes;
    for (const auto& database : request.databases) sizes.push_back(database.size);
    return sizes;
  }

  // A statement of nothing, comments included, is none.
  bool is_blank(std::string_view rest) {
    sqlite3_stmt* raw = nullptr;
    while (!rest.empty()) {
      const char* tail = nullptr;
      const int result = sqlite3_prepare_v2(m_db.get(), rest.data(), static_cast<int>(rest.size()), &raw, &tail);
      const bool none = result == SQLITE_OK && raw == nullptr;
      sqlite3_finalize(raw);
      if (!none) return false;
      const auto taken = static_cast<std::size_t>(tail - rest.data());
      if (taken == 0) break;
      rest.remove_prefix(taken);
    }
    return true;
  }

  std::optional<QueryFailed> open() {
    const std::uint64_t memory = std::min<std::uint64_t>(m_request.memory, INT_MAX);
    sqlite3_hard_heap_limit64(static_cast<sqlite3_int64>(memory));
    // From here on it lets pages go rather than to fail.
    sqlite3_soft_heap_limit64(static_cast<sqlite3_int64>(memory - memory / k_cache_share));
    sqlite3* db = nullptr;
    const int result =
        sqlite3_open_v2("0", &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, m_vfs.name());
    m_db.reset(db);
    if (db == nullptr) return QueryFailed{Cause::memory, sqlite3_errstr(result)};
    if (result != SQLITE_OK) return failure(result);
    sqlite3_extended_result_codes(db, 1);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, nullptr);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, static_cast<int>(memory / k_value_share));
    sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, 1 << 20);  // of views and tables, too
    sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, k_deepest_expression);
    sqlite3_limit(db, SQLITE_LIMIT_TRIGGER_DEPTH, k_deepest_trigger);
    sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_progress_handler(db, k_steps, is_over, this);
    const std::string settings = fmt::format(
        "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{}; "
        "PRAGMA query_only = ON",
        memory / k_cache_share / 1024);
    if (const int set = sqlite3_exec(db, settings.c_str(), nullptr, nullptr, nullptr); set != SQLITE_OK) {
      return failure(set);
    }
    for (std::size_t i = 1; i < m_request.databases.size(); ++i) {
      if (auto failed = attach(i)) return failed;
    }
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, static_cast<int>(m_request.databases.size()) - 1);
    sqlite3_set_authorizer(db, judge, this);
    return std::nullopt;
  }

  std::optional<QueryFailed> attach(std::size_t number) {
    sqlite3_stmt* raw = nullptr;
    int result = sqlite3_prepare_v2(m_db.get(), "ATTACH ?1 AS ?2", -1, &raw, nullptr);
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement{raw, sqlite3_finalize};
    const std::string file = std::to_string(number);
    const std::string& schema = m_request.databases[number].schema;
    if (result == SQLITE_OK) result = sqlite3_bind_text(raw, 1, file.c_str(), -1, SQLITE_TRANSIENT);
    if (result == SQLITE_OK) result = sqlite3_bind_text(raw, 2, schema.c_str(), -1, SQLITE_TRANSIENT);
    if (result == SQLITE_OK) result = sqlite3_step(raw);
    if (result == SQLITE_DONE) return std::nullopt;
    return failure(result);
  }

  std::variant<QueryDone, QueryFailed> answer(sqlite3_stmt* statement) {
    const int columns = sqlite3_column_count(statement);
    for (int i = 0; i < columns; ++i) {
      const char* const name = sqlite3_column_name(statement, i);
      m_row.text(name == nullptr ? "" : name);
    }
    m_row.finish(m_out);
    while (true) {
      const int result = sqlite3_step(statement);
      if (result == SQLITE_DONE) break;
      if (result != SQLITE_ROW) {
        // What was found until then came about all the same.
        QueryFailed failed = failure(result);
        flush();
        return failed;
      }
      for (int i = 0; i < columns; ++i) {
        if (!add(statement, i)) return QueryFailed{Cause::memory, "a row does not fit into it"};
      }
      m_row.finish(m_out);
      if (m_out.size() >= k_rows_at_once || Clock::now() - m_flushed >= k_longest_wait) flush();
    }
    flush();
    return QueryDone{};
  }

  // False where there is no room for the value.
  bool add(sqlite3_stmt* statement, int column) {
    const int type = sqlite3_column_type(statement, column);
    if (type == SQLITE_INTEGER) {
      m_row.integer(sqlite3_column_int64(statement, column));
    } else if (type == SQLITE_FLOAT) {
      m_row.real(sqlite3_column_double(statement, column));
    } else if (type == SQLITE_NULL) {
      m_row.null();
    } else {
      const void* const data =
          type == SQLITE_TEXT ? sqlite3_column_text(statement, column) : sqlite3_column_blob(statement, column);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
      // Text may have to be converted, and a blob of zeros made, only now.
      if (data == nullptr && (type == SQLITE_TEXT || size != 0)) return false;
      if (size > m_request.memory - std::min<std::uint64_t>(m_request.memory, m_row.size() + k_row_room)) return false;
      const std::string_view bytes = data == nullptr ? "" : std::string_view{static_cast<const char*>(data), size};
      type == SQLITE_TEXT ? m_row.text(bytes) : m_row.blob(bytes);
    }
    return true;
  }

  void flush() {
    m_rows(m_out);
    m_out.clear();
    m_flushed = Clock::now();
  }

  QueryFailed failure(int result) const {
    const std::string text = m_db ? sqlite3_errmsg(m_db.get()) : sqlite3_errstr(result);
    switch (result & 0xff) {
      case SQLITE_INTERRUPT:
        return {Cause::time, text};
      case SQLITE_NOMEM:
      case SQLITE_TOOBIG:
        return {Cause::memory, text};
      case SQLITE_IOERR:
        return {Cause::pages, text};
      case SQLITE_AUTH:
        return {Cause::forbidden, m_denied.empty() ? text : m_denied};
      default:
        break;
    }
    // SQLite calls it corrupt where it cannot parse a schema, which a newer one may.
    if (text.starts_with("malformed database schema")) return {Cause::other, text};
    return {is_of_content(result) ? Cause::content : Cause::sql, text};
  }

  static int is_over(void* session) { return Clock::now() > static_cast<QuerySession*>(session)->m_deadline ? 1 : 0; }

  static int judge(void* session, int action, const char* first, const char* second, const char*, const char*) {
    auto& denied = static_cast<QuerySession*>(session)->m_denied;
    switch (action) {
      case SQLITE_SELECT:
      case SQLITE_READ:
      case SQLITE_RECURSIVE:
        return SQLITE_OK;
      case SQLITE_UPDATE:
        // So a virtual table is asked for its columns; a statement that would change the schema does not only read.
        if (first != nullptr && std::string_view{first} == "sqlite_master") return SQLITE_OK;
        break;
      case SQLITE_FUNCTION:
        if (second == nullptr || sqlite3_stricmp(second, "load_extension") != 0) return SQLITE_OK;
        denied = "it calls load_extension()";
        return SQLITE_DENY;
      case SQLITE_PRAGMA:
        if (may_ask(first == nullptr ? "" : first, second)) return SQLITE_OK;
        denied = fmt::format("PRAGMA {} is not among those that only read", first == nullptr ? "" : first);
        return SQLITE_DENY;
      default:
        break;
    }
    denied = "it does not only read";
    return SQLITE_DENY;
  }

  const QueryRequest& m_request;
  PageVfs m_vfs;
  const std::function<void(ByteView)>& m_rows;
  Clock::time_point m_deadline;
  std::unique_ptr<sqlite3, Close> m_db;
  std::string m_denied;
  RowEncoder m_row;
  Bytes m_out;
  Clock::time_point m_flushed = Clock::now();
};

}  // namespace

std::variant<QueryDone, QueryFailed> answer_query(const QueryRequest& request, PageSupply& supply,
                                                  const std::function<void(ByteView rows)>& rows) {
  return QuerySession{request, supply, rows}.run();
}

}  // namespace cairn::sqlite
