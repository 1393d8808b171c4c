// The content of a dump in plain SQL, by its lines: the tables that it makes, the rows that it puts into them, and
// whether it ends as its program ends one. Pure.
#pragma once

#include "util/bytes.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace cairn {

enum class DumpKind {
  none,
  postgresql,         // pg_dump, plain
  postgresql_custom,  // pg_dump -Fc: for pg_restore to look into
  mysql,              // mysqldump, mariadb-dump
  sqlite,             // .dump
};
// By the first bytes of a file; k_dump_head of them are enough.
DumpKind dump_kind(ByteView head) noexcept;
inline constexpr std::size_t k_dump_head = 4096;
const char* dump_program(DumpKind kind) noexcept;

// Takes the bytes of a plain dump in order. What looks like a statement inside of a value that has several lines is
// taken for one: numbers are for comparing, not for counting.
class DumpSurvey {
 public:
  explicit DumpSurvey(DumpKind kind) : m_kind(kind) {}
  void add(std::string_view bytes);
  void finish();

  // Whether the last words are those that the program writes last.
  bool complete() const noexcept { return m_complete; }
  const std::map<std::string, std::uint64_t>& rows() const noexcept { return m_rows; }
  // "table t", "index i", ...
  const std::set<std::string>& elements() const noexcept { return m_elements; }

 private:
  void line(std::string_view text);
  void statement(std::string_view text);

  DumpKind m_kind;
  std::string m_line;           // its beginning
  std::string m_copying;        // the table whose rows come, of COPY
  bool m_rest_of_line = false;  // of one that is longer than is looked at
  bool m_complete = false;
  std::map<std::string, std::uint64_t> m_rows;
  std::set<std::string> m_elements;
};

}  // namespace cairn
