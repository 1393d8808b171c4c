#include "capture/sqlite/image_survey.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <strings.h>
#include <utility>
#include <vector>

#include <sqlite3.h>

namespace cairn::sqlite {

namespace {

// A person's schema has far fewer; what is beyond it is not told.
constexpr std::size_t k_most_tables = 20'000;
constexpr std::size_t k_most_pairs = 1000;

using Tell = std::function<void(const CheckedItem&)>;

class Rows {
 public:
  Rows(const Connection& connection, const std::string& sql) : m_connection(connection) {
    check(sqlite3_prepare_v2(connection.handle(), sql.c_str(), -1, &m_statement, nullptr));
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows() { sqlite3_finalize(m_statement); }

  bool next() {
    const int result = sqlite3_step(m_statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE) check(result);
    return result == SQLITE_ROW;
  }
  std::string text(int column) const {
    const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(m_statement, column));
    const auto length = static_cast<std::size_t>(sqlite3_column_bytes(m_statement, column));
    return bytes == nullptr ? std::string{} : std::string{bytes, length};
  }
  std::int64_t number(int column) const { return sqlite3_column_int64(m_statement, column); }

 private:
  void check(int result) const {
    if (result == SQLITE_OK) return;
    throw SqliteError("look into", m_connection.path(), result, sqlite3_errmsg(m_connection.handle()));
  }
  const Connection& m_connection;
  sqlite3_stmt* m_statement = nullptr;
};

std::string quoted(const std::string& name, char mark) {
  std::string out{mark};
  for (const char c : name) {
    if (c == mark) out += mark;
    out += c;
  }
  return out + mark;
}

CheckedItem item_of(CheckedItem::Kind kind, std::string name, std::uint64_t number = 0) {
  if (name.size() > CheckedItem::k_longest_name) name.resize(CheckedItem::k_longest_name);
  return {kind, std::move(name), number};
}

bool is_virtual(const std::string& sql) {
  constexpr std::string_view k_virtual = "create virtual";
  return ::strncasecmp(sql.c_str(), k_virtual.data(), k_virtual.size()) == 0;
}

struct Table {
  std::string name;
  bool of_module = false;  // what is read of it runs a module's code
};

// Tells of the objects of the schema, and returns its tables.
std::vector<Table> survey_objects(const Connection& connection, bool& has_sequences, const Tell& tell) {
  std::vector<Table> tables;
  Rows objects{connection, "SELECT type, name, tbl_name, sql FROM sqlite_master"};
  // SQLite's own tables come and go by themselves; its own indexes are what makes columns unique.
  const auto is_own = [](const std::string& type, const std::string& name) {
    return type == "table" && name.starts_with("sqlite_");
  };
  while (objects.next()) {
    if (is_own(objects.text(0), objects.text(1))) {
      if (objects.text(1) == "sqlite_sequence") has_sequences = true;
      continue;
    }
    const std::string type = objects.text(0);
    std::string name = type + " " + objects.text(1);
    // Told with their columns, by their tables.
    if (type == "index") continue;
    if (type == "trigger") name += " on " + objects.text(2);
    tell(item_of(CheckedItem::Kind::element, std::move(name)));
    if (type == "table" && tables.size() < k_most_tables)
      tables.push_back({objects.text(1), is_virtual(objects.text(3))});
  }
  return tables;
}

void survey_columns(const Connection& connection, const std::string& table, const Tell& tell) {
  Rows columns{connection, "PRAGMA table_xinfo(" + quoted(table, '\'') + ")"};
  while (columns.next()) {
    std::string text = "column " + table + "." + columns.text(1);
    if (const std::string type = columns.text(2); !type.empty()) text += " " + type;
    if (columns.number(3) != 0) text += " NOT NULL";
    if (columns.number(5) != 0) text += " PRIMARY KEY";
    tell(item_of(CheckedItem::Kind::element, std::move(text)));
  }
  Rows indexes{connection, "PRAGMA index_list(" + quoted(table, '\'') + ")"};
  while (indexes.next()) {
    std::string text = "index " + indexes.text(1) + " on " + table;
    Rows parts{connection, "PRAGMA index_info(" + quoted(indexes.text(1), '\'') + ")"};
    for (const char* separator = " ("; parts.next(); separator = ", ") {
      text += separator + (parts.text(2).empty() ? "an expression" : parts.text(2));
    }
    tell(item_of(CheckedItem::Kind::element, text + (indexes.number(2) != 0 ? ") UNIQUE" : ")")));
  }
  Rows keys{connection, "PRAGMA foreign_key_list(" + quoted(table, '\'') + ")"};
  while (keys.next()) {
    tell(item_of(CheckedItem::Kind::element, "foreign key " + table + "." + keys.text(3) + " -> " + keys.text(2)));
  }
}

void survey_keys(const Connection& connection, const Tell& tell) {
  std::map<std::string, std::uint64_t> broken;
  try {
    Rows rows{connection, "PRAGMA foreign_key_check"};
    while (rows.next()) {
      std::string pair = rows.text(0) + " -> " + rows.text(2);
      if (broken.size() < k_most_pairs || broken.contains(pair)) ++broken[std::move(pair)];
    }
  } catch (const SqliteError& e) {
    // Of the text, not the pages: "foreign key mismatch".
    if (e.code() != SQLITE_ERROR) throw;
    tell(item_of(CheckedItem::Kind::bad_schema, sqlite3_errmsg(connection.handle())));
  }
  for (const auto& [pair, count] : broken) tell(item_of(CheckedItem::Kind::broken_key, pair, count));
}

void survey_counters(const Connection& connection, bool has_sequences, const Tell& tell) {
  constexpr std::size_t k_counter_offset = 24;
  constexpr std::size_t k_counter_size = 4;
  std::uint8_t bytes[k_counter_size] = {};
  if (connection.main_file().read(bytes, k_counter_offset) == SqliteFile::Whole::yes) {
    std::uint64_t counter = 0;
    for (const std::uint8_t byte : bytes) counter = counter << 8 | byte;
    tell(item_of(CheckedItem::Kind::counter, "change counter", counter));
  }
  if (!has_sequences) return;
  Rows rows{connection, "SELECT name, max(seq) FROM sqlite_sequence GROUP BY name"};
  for (std::size_t told = 0; told < k_most_tables && rows.next(); ++told) {
    if (rows.number(1) >= 0) {
      tell(item_of(CheckedItem::Kind::counter, "sequence of " + rows.text(0),
                   static_cast<std::uint64_t>(rows.number(1))));
    }
  }
}

}  // namespace

void survey_image(Connection& connection, const Tell& tell) {
  bool has_sequences = false;
  const auto tables = survey_objects(connection, has_sequences, tell);
  for (const auto& table : tables) {
    if (table.of_module) continue;
    survey_columns(connection, table.name, tell);
    Rows count{connection, "SELECT count(*) FROM " + quoted(table.name, '"')};
    if (count.next()) {
      tell(item_of(CheckedItem::Kind::table, table.name, static_cast<std::uint64_t>(count.number(0))));
    }
  }
  survey_keys(connection, tell);
  survey_counters(connection, has_sequences, tell);
}

}  // namespace cairn::sqlite
