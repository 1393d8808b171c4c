#include "cli/output.hpp"

#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/exit_status.hpp"
#include "util/utf8.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

std::size_t display_width(std::string_view text) noexcept {
  // Continuation bytes take no column.
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

Table::Table(std::vector<Column> columns) : m_columns(std::move(columns)) {}

void Table::add(std::vector<std::string> cells) {
  for (auto& cell : cells) cell = terminal_safe(cell);
  cells.resize(m_columns.size());
  m_rows.push_back(std::move(cells));
}

void Table::print(std::ostream& to) const {
  std::vector<std::size_t> shown;
  std::vector<std::size_t> widths(m_columns.size(), 0);
  for (std::size_t i = 0; i < m_columns.size(); ++i) {
    for (const auto& row : m_rows) widths[i] = std::max(widths[i], display_width(row[i]));
    if (widths[i] == 0) continue;
    widths[i] = std::max(widths[i], display_width(m_columns[i].title));
    shown.push_back(i);
  }
  const auto print_row = [&](const auto& cell_of) {
    std::string line;
    for (const std::size_t i : shown) {
      const std::string& cell = cell_of(i);
      const std::string blanks(widths[i] - display_width(cell), ' ');
      if (i != shown.front()) line += "  ";
      line += m_columns[i].align == Align::right ? blanks + cell : cell + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    to << line << '\n';
  };
  print_row([&](std::size_t i) -> const std::string& { return m_columns[i].title; });
  for (const auto& row : m_rows) print_row([&](std::size_t i) -> const std::string& { return row[i]; });
}

void FieldList::add(std::string name, const std::string& value) {
  m_fields.emplace_back(std::move(name), terminal_safe(value));
}

void FieldList::print(std::ostream& to) const {
  std::size_t width = 0;
  for (const auto& field : m_fields) width = std::max(width, display_width(field.first));
  for (const auto& [name, value] : m_fields) {
    to << "  " << name << std::string(width - display_width(name) + 2, ' ') << value << '\n';
  }
}

JsonWriter begin_document(std::string_view command) {
  JsonWriter to;
  to.begin_object().member("schema", fmt::format("cairn.{}/1", command));
  return to;
}

void text_member(JsonWriter& to, std::string_view name, std::string_view bytes) {
  if (is_valid_utf8(bytes)) {
    to.member(name, bytes);
  } else {
    to.member(fmt::format("{}_b64", name), to_base64(as_bytes(bytes)));
  }
}

std::string short_id(const Digest& id) {
  return id.hex().substr(0, 12);
}

void write_error_members(JsonWriter& to, const Error& error) {
  to.member("kind", error_kind_name(error.kind())).member("message", terminal_safe(error.message())).key("hint");
  error.hint().empty() ? to.null() : to.value(terminal_safe(error.hint()));
}

}  // namespace cairn
