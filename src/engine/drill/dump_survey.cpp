#include "engine/drill/dump_survey.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <strings.h>

namespace cairn {

namespace {

// Names stand at the beginning; a line of rows may be as long as the dump.
constexpr std::size_t k_longest_line = 4096;
constexpr std::size_t k_most_names = 20'000;

bool skip_word(std::string_view& text, std::string_view word) {
  if (text.size() < word.size() || ::strncasecmp(text.data(), word.data(), word.size()) != 0) return false;
  text.remove_prefix(word.size());
  return true;
}

// A name up to a blank or a bracket; quoted ones as they stand but for their quotes.
std::string take_name(std::string_view text) {
  std::string out;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '`' || c == '\'' || c == '[')) {
      quote = c == '[' ? ']' : c;
    } else if (quote == 0 && (c == ' ' || c == '(' || c == ';' || c == ',' || c == '\t')) {
      break;
    } else {
      out += c;
    }
  }
  return out;
}

struct Object {
  const char* words;
  const char* kind;
};
constexpr std::array k_objects{
    Object{"CREATE TABLE IF NOT EXISTS ", "table "},
    Object{"CREATE TABLE ", "table "},
    Object{"CREATE UNLOGGED TABLE ", "table "},
    Object{"CREATE UNIQUE INDEX ", "index "},
    Object{"CREATE INDEX ", "index "},
    Object{"CREATE VIEW ", "view "},
    Object{"CREATE TRIGGER ", "trigger "},
    Object{"CREATE SEQUENCE ", "sequence "},
    Object{"CREATE FUNCTION ", "function "},
    Object{"CREATE TYPE ", "type "},
};

}  // namespace

DumpKind dump_kind(ByteView head) noexcept {
  const std::string_view text = as_text(head);
  const auto has = [&](std::string_view words) { return text.find(words) != std::string_view::npos; };
  if (text.starts_with("PGDMP")) return DumpKind::postgresql_custom;
  if (has("-- PostgreSQL database dump\n") || has("-- PostgreSQL database cluster dump\n")) return DumpKind::postgresql;
  if (text.starts_with("-- MySQL dump ") || text.starts_with("-- MariaDB dump ") ||
      text.starts_with("/*!999999\\- enable the sandbox mode */") || text.starts_with("/*M!999999\\- ")) {
    return DumpKind::mysql;
  }
  if (text.starts_with("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n")) return DumpKind::sqlite;
  return DumpKind::none;
}

const char* dump_program(DumpKind kind) noexcept {
  switch (kind) {
    case DumpKind::postgresql:
    case DumpKind::postgresql_custom:
      return "pg_dump";
    case DumpKind::mysql:
      return "mysqldump";
    case DumpKind::sqlite:
      return "sqlite3";
    case DumpKind::none:
      break;
  }
  return "";
}

void DumpSurvey::add(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!m_rest_of_line) m_line += piece.substr(0, k_longest_line - std::min(m_line.size(), k_longest_line));
    if (m_line.size() >= k_longest_line) m_rest_of_line = true;
    if (end == std::string_view::npos) return;
    line(m_line);
    m_line.clear();
    m_rest_of_line = false;
    bytes.remove_prefix(end + 1);
  }
}

void DumpSurvey::finish() {
  if (!m_line.empty()) line(m_line);
  m_line.clear();
}

void DumpSurvey::line(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (!m_copying.empty()) {
    if (text == "\\.") {
      m_copying.clear();
    } else {
      ++m_rows[m_copying];
    }
    m_complete = false;
    return;
  }
  switch (m_kind) {
    case DumpKind::postgresql:
      // Newer ones end with \unrestrict and blank lines.
      if (text == "-- PostgreSQL database dump complete" || text == "-- PostgreSQL database cluster dump complete") {
        m_complete = true;
      } else if (!text.empty() && text != "--" && !text.starts_with("\\unrestrict ")) {
        m_complete = false;
      }
      break;
    case DumpKind::mysql:
      if (text.starts_with("-- Dump completed")) {
        m_complete = true;
      } else if (!text.empty()) {
        m_complete = false;
      }
      break;
    case DumpKind::sqlite:
      if (!text.empty()) m_complete = text == "COMMIT;";
      break;
    default:
      break;
  }
  statement(text);
}

void DumpSurvey::statement(std::string_view text) {
  const auto count = [&](const std::string& table, std::uint64_t rows) {
    if (m_rows.contains(table) || m_rows.size() < k_most_names) m_rows[table] += rows;
  };
  for (const auto& object : k_objects) {
    std::string_view rest = text;
    if (!skip_word(rest, object.words)) continue;
    const std::string name = terminal_safe(take_name(rest));
    if (m_elements.size() < k_most_names) m_elements.insert(object.kind + name);
    if (object.kind == std::string_view{"table "}) count(name, 0);
    return;
  }
  std::string_view rest = text;
  if (skip_word(rest, "COPY ") && text.ends_with("FROM stdin;")) {
    m_copying = terminal_safe(take_name(rest));
    count(m_copying, 0);
    return;
  }
  rest = text;
  if (skip_word(rest, "INSERT INTO ") || skip_word(rest, "REPLACE INTO ")) count(terminal_safe(take_name(rest)), 1);
}

}  // namespace cairn
