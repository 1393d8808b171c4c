#include "cli/query_output.hpp"

#include "cli/output.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/json.hpp"
#include "util/units.hpp"
#include "util/utf8.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

using sqlite::SqlBlob;
using sqlite::SqlNull;
using sqlite::SqlRow;
using sqlite::SqlText;
using sqlite::SqlValue;

// Rows that decide how wide a table's columns are.
constexpr std::size_t k_rows_for_widths = 500;
// Bytes of a blob that a table shows.
constexpr std::size_t k_shown_of_blob = 64;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

// As short as it can be, and still a real number to whoever reads it.
std::string real_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

std::string hex_text(std::string_view bytes) {
  return "X'" + to_hex(as_bytes(bytes)) + "'";
}

std::string quoted(std::string_view text, char quote_mark) {
  std::string out{quote_mark};
  for (const char c : text) {
    if (c == quote_mark) out += c;
    out += c;
  }
  return out + quote_mark;
}

// As a tree that is no deeper than it must be: SQLite bounds the depth of expressions.
std::string joined(const std::vector<std::string>& parts, std::size_t first, std::size_t count) {
  if (count == 1) return parts[first];
  const std::size_t half = count / 2;
  return "(" + joined(parts, first, half) + "||" + joined(parts, first + half, count - half) + ")";
}

// ('one'||(char(13)||'two')). A line break stays as it is.
std::string text_literal(std::string_view text) {
  std::vector<std::string> parts;
  std::string plain;
  std::string special;
  const auto end_plain = [&] {
    if (!plain.empty()) parts.push_back(quoted(std::exchange(plain, {}), '\''));
  };
  const auto end_special = [&] {
    if (!special.empty()) parts.push_back("char(" + std::exchange(special, {}) + ")");
  };
  while (!text.empty()) {
    const std::string_view sequence = text.substr(0, utf8_sequence_length(text));
    const char32_t c = utf8_code_point(sequence);
    if (is_unprintable(c) && c != '\n') {
      end_plain();
      special += fmt::format("{}{}", special.empty() ? "" : ",", static_cast<std::uint32_t>(c));
    } else {
      end_special();
      plain += sequence;
    }
    text.remove_prefix(sequence.size());
  }
  end_plain();
  end_special();
  return parts.empty() ? "''" : joined(parts, 0, parts.size());
}

bool is_number(const SqlValue& value) {
  return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
}

// Names that are there twice get a number, as SQLite's own tools give them.
std::vector<std::string> distinct(const std::vector<std::string>& names) {
  std::map<std::string, std::size_t> seen;
  for (const auto& name : names) seen.emplace(name, 0);
  std::map<std::string, bool> used;
  std::vector<std::string> out;
  for (const auto& name : names) {
    std::string own = name;
    while (used[own]) {
      do {
        own = fmt::format("{}:{}", name, ++seen[name]);
      } while (seen.contains(own) && own != name);
    }
    used[own] = true;
    out.push_back(std::move(own));
  }
  return out;
}

class TablePrinter : public QueryPrinter {
 public:
  TablePrinter(std::ostream& to, std::function<void()> checked) : m_to(to), m_checked(std::move(checked)) {}

  void columns(const std::vector<std::string>& names, const RowOrigin* origin) override {
    std::vector<std::string> titles;
    if (origin != nullptr) titles = {"snapshot", "cut_point"};
    for (const auto& name : names) titles.push_back(terminal_safe(name));
    if (titles == m_titles) return;
    print_waiting();
    if (!m_titles.empty()) m_to << '\n';
    m_titles = std::move(titles);
    m_headed = false;
  }

  void row(const SqlRow& values, const RowOrigin* origin) override {
    Cells cells;
    if (origin != nullptr) {
      cells.push_back({origin->id.substr(0, 12), false});
      cells.push_back({origin->cut_point, false});
    }
    for (const auto& value : values) cells.push_back({shown(value), is_number(value)});
    if (m_headed) return print(cells);
    m_waiting.push_back(std::move(cells));
    if (m_waiting.size() == k_rows_for_widths) print_waiting();
  }

  void finish() override { print_waiting(); }

 private:
  struct Cell {
    std::string text;
    bool number;
  };
  using Cells = std::vector<Cell>;

  static std::string shown(const SqlValue& value) {
    return std::visit(Overloaded{[](const SqlNull&) -> std::string { return "NULL"; },
                                 [](std::int64_t number) { return fmt::format("{}", number); },
                                 [](double number) { return real_text(number); },
                                 [](const SqlText& text) { return terminal_safe(text.bytes); },
                                 [](const SqlBlob& blob) {
                                   if (blob.bytes.size() <= k_shown_of_blob) return hex_text(blob.bytes);
                                   return fmt::format("{}... ({})", hex_text(blob.bytes.substr(0, k_shown_of_blob)),
                                                      format_size(blob.bytes.size()));
                                 }},
                      value);
  }

  void print_waiting() {
    if (m_titles.empty() || m_headed) return;
    m_headed = true;
    m_widths.assign(m_titles.size(), 0);
    m_right.assign(m_titles.size(), !m_waiting.empty());
    Cells titles;
    for (std::size_t i = 0; i < m_titles.size(); ++i) {
      m_widths[i] = display_width(m_titles[i]);
      for (const Cells& row : m_waiting) {
        m_widths[i] = std::max(m_widths[i], display_width(row[i].text));
        m_right[i] = m_right[i] && (row[i].number || row[i].text == "NULL");
      }
      titles.push_back({m_titles[i], m_right[i]});
    }
    print(titles);
    for (const Cells& row : std::exchange(m_waiting, {})) print(row);
  }

  void print(const Cells& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::size_t width = display_width(cells[i].text);
      const std::string blanks(width < m_widths[i] ? m_widths[i] - width : 0, ' ');
      if (i != 0) line += "  ";
      line += m_right[i] && cells[i].number ? blanks + cells[i].text : cells[i].text + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    m_to << line << '\n';
    m_checked();
  }

  std::ostream& m_to;
  std::function<void()> m_checked;
  std::vector<std::string> m_titles;
  std::vector<std::size_t> m_widths;
  std::vector<bool> m_right;
  std::vector<Cells> m_waiting;
  bool m_headed = false;
};

[[noreturn]] void throw_other_columns() {
  throw Error(ErrorKind::failed, "its columns are not those of the snapshots before it",
              "name the columns, instead of *");
}

// RFC 4180, but that lines end as others do here. NULL is nothing, text of no length is "".
class CsvPrinter : public QueryPrinter {
 public:
  CsvPrinter(std::ostream& to, bool safe, std::function<void()> checked)
      : m_to(to), m_safe(safe), m_checked(std::move(checked)) {}

  void columns(const std::vector<std::string>& names, const RowOrigin* origin) override {
    if (m_names) {
      if (*m_names != names) throw_other_columns();
      return;
    }
    m_names = names;
    std::string line = origin != nullptr ? "snapshot,cut_point" : "";
    for (const auto& name : names) add(line, field(name));
    print(std::move(line), origin == nullptr);
  }

  void row(const SqlRow& values, const RowOrigin* origin) override {
    std::string line = origin != nullptr ? origin->id + "," + origin->cut_point : "";
    for (const auto& value : values) {
      add(line, std::visit(Overloaded{[](const SqlNull&) -> std::string { return ""; },
                                      [](std::int64_t number) { return fmt::format("{}", number); },
                                      [](double number) { return real_text(number); },
                                      [this](const SqlText& text) { return field(text.bytes); },
                                      [](const SqlBlob& blob) { return hex_text(blob.bytes); }},
                           value));
    }
    print(std::move(line), origin == nullptr);
  }

 private:
  static void add(std::string& line, const std::string& one) { line += "," + one; }
  std::string field(const std::string& bytes) const {
    const std::string text = m_safe ? terminal_safe(bytes) : bytes;
    const bool plain = !text.empty() && text.find_first_of(",\"\r\n") == std::string::npos && text.front() != ' ' &&
                       text.back() != ' ';
    return plain ? text : quoted(text, '"');
  }
  // Without an origin the line begins with a comma that parts nothing.
  void print(std::string line, bool first_comma) {
    if (first_comma) line.erase(0, 1);
    m_to << line << '\n';
    m_checked();
  }

  std::ostream& m_to;
  bool m_safe;
  std::function<void()> m_checked;
  std::optional<std::vector<std::string>> m_names;
};

class JsonPrinter : public QueryPrinter {
 public:
  JsonPrinter(std::ostream& to, std::function<void()> checked) : m_to(to), m_checked(std::move(checked)) {}

  void columns(const std::vector<std::string>& names, const RowOrigin* origin) override {
    m_keys.clear();
    for (const auto& name : distinct(names)) {
      const bool utf8 = is_valid_utf8(name);
      std::string key;
      append_json_string(key, utf8 ? name : terminal_safe(name));
      m_keys.push_back(std::move(key));
    }
    JsonWriter line = begin(origin);
    std::string all;
    for (const auto& key : m_keys) all += (all.empty() ? "" : ",") + key;
    line.key("columns").raw("[" + all + "]");
    end(std::move(line));
  }

  void row(const SqlRow& values, const RowOrigin* origin) override {
    JsonWriter line = begin(origin);
    std::string members;
    for (std::size_t i = 0; i < values.size(); ++i) {
      members += (i == 0 ? "" : ",") + m_keys[i] + ":" + json_value(values[i]);
    }
    line.key("row").raw("{" + members + "}");
    end(std::move(line));
  }

 private:
  static JsonWriter begin(const RowOrigin* origin) {
    JsonWriter line = begin_document("query");
    if (origin != nullptr) line.member("id", origin->id).member("cut_point", origin->cut_point);
    return line;
  }
  void end(JsonWriter line) {
    line.end_object();
    m_to << line.text() << '\n';
    m_checked();
  }

  std::ostream& m_to;
  std::function<void()> m_checked;
  std::vector<std::string> m_keys;
};

// All of it or, where it is cut short, nothing.
class InsertPrinter : public QueryPrinter {
 public:
  InsertPrinter(std::ostream& to, const std::string& table, std::function<void()> checked)
      : m_to(to), m_table(sql_name(table)), m_checked(std::move(checked)) {}

  void columns(const std::vector<std::string>& names, const RowOrigin*) override {
    m_begin = "INSERT INTO " + m_table + "(";
    for (const auto& name : names) m_begin += (m_begin.back() == '(' ? "" : ",") + sql_name(name);
    m_begin += ") VALUES(";
    m_to << "BEGIN;\n";
  }

  void row(const SqlRow& values, const RowOrigin*) override {
    m_to << m_begin;
    for (std::size_t i = 0; i < values.size(); ++i) m_to << (i == 0 ? "" : ",") << sql_literal(values[i]);
    m_to << ");\n";
    m_checked();
  }

  void finish() override { m_to << "COMMIT;\n"; }

 private:
  std::ostream& m_to;
  std::string m_table;
  std::string m_begin;
  std::function<void()> m_checked;
};

}  // namespace

std::string sql_literal(const SqlValue& value) {
  return std::visit(Overloaded{[](const SqlNull&) -> std::string { return "NULL"; },
                               [](std::int64_t number) { return fmt::format("{}", number); },
                               [](double number) -> std::string {
                                 if (std::isinf(number)) return number > 0 ? "9e999" : "-9e999";
                                 return std::isnan(number) ? "NULL" : real_text(number);
                               },
                               [](const SqlText& text) {
                                 return is_valid_utf8(text.bytes) ? text_literal(text.bytes)
                                                                  : "CAST(" + hex_text(text.bytes) + " AS TEXT)";
                               },
                               [](const SqlBlob& blob) { return hex_text(blob.bytes); }},
                    value);
}

std::string sql_name(std::string_view name) {
  if (terminal_safe(name) != name || name.empty()) {
    throw Error(ErrorKind::usage, fmt::format("{} is no name that can be written as it is", quote(name)),
                "give the column a name, with AS");
  }
  return quoted(name, '"');
}

std::string json_value(const SqlValue& value) {
  JsonWriter to;
  std::visit(Overloaded{[&](const SqlNull&) { to.null(); },
                        [&](std::int64_t number) {
                          const auto most = static_cast<std::int64_t>(k_max_integer);
                          if (number > most || number < -most) {
                            to.begin_object().member("integer", fmt::format("{}", number)).end_object();
                          } else {
                            to.value(number);
                          }
                        },
                        [&](double number) {
                          if (std::isfinite(number)) {
                            to.raw(real_text(number));
                          } else {
                            const char* const name = std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
                            to.begin_object().member("real", name).end_object();
                          }
                        },
                        [&](const SqlText& text) {
                          if (is_valid_utf8(text.bytes)) {
                            to.value(text.bytes);
                          } else {
                            to.begin_object().member("text_b64", to_base64(as_bytes(text.bytes))).end_object();
                          }
                        },
                        [&](const SqlBlob& blob) {
                          to.begin_object().member("blob_b64", to_base64(as_bytes(blob.bytes))).end_object();
                        }},
             value);
  return std::move(to).text();
}

std::unique_ptr<QueryPrinter> make_query_printer(const QueryForm& form, std::ostream& to,
                                                 std::function<void()> checked) {
  switch (form.kind) {
    case QueryForm::Kind::csv:
      return std::make_unique<CsvPrinter>(to, form.for_terminal, std::move(checked));
    case QueryForm::Kind::json:
      return std::make_unique<JsonPrinter>(to, std::move(checked));
    case QueryForm::Kind::insert:
      return std::make_unique<InsertPrinter>(to, form.table, std::move(checked));
    case QueryForm::Kind::table:
      break;
  }
  return std::make_unique<TablePrinter>(to, std::move(checked));
}

}  // namespace cairn
