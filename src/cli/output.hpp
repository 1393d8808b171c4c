// Output for people and scripts: aligned tables, JSON documents.
#pragma once

#include "codec/digest.hpp"
#include "util/error.hpp"
#include "util/json.hpp"

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// Columns aligned by what a terminal shows, two blanks between them, nothing after the last. Cells are made safe for
// terminals.
class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };
  explicit Table(std::vector<Column> columns);
  // As many cells as columns.
  void add(std::vector<std::string> cells);
  bool empty() const noexcept { return m_rows.empty(); }
  // A column without a single value is left out.
  void print(std::ostream& to) const;

 private:
  std::vector<Column> m_columns;
  std::vector<std::vector<std::string>> m_rows;
};

// "  name       value" lines, aligned; values are made safe for terminals.
class FieldList {
 public:
  void add(std::string name, const std::string& value);
  void print(std::ostream& to) const;

 private:
  std::vector<std::pair<std::string, std::string>> m_fields;
};

// Columns that text takes on a terminal: code points, an approximation that is right but for wide scripts.
std::size_t display_width(std::string_view text) noexcept;

// {"schema": "cairn.COMMAND/1", begun; the caller ends the object.
JsonWriter begin_document(std::string_view command);
// A member whose text may be any bytes: "name", or "name_b64" where it is not UTF-8.
void text_member(JsonWriter& to, std::string_view name, std::string_view bytes);

// As people see an id: its first 12 digits (REF takes 8 or more).
std::string short_id(const Digest& id);

// The members kind, message and hint. Messages quote names, but a library's text may hold any bytes: made safe.
void write_error_members(JsonWriter& to, const Error& error);

}  // namespace cairn
