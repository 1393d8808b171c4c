// The answer of a query, in the forms that people and programs ask for.
#pragma once

#include "capture/sqlite/query_value.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// Text for an SQL statement that is this value again: NULL, 1, 1.5, 'text', X'00'. What a terminal or a C string
// would spoil of a text is put together from char(); text that is no UTF-8 is a cast blob.
std::string sql_literal(const sqlite::SqlValue& value);
// "name", quoted. Error(usage) for a name that cannot be shown on a terminal as it is.
std::string sql_name(std::string_view name);
// A JSON value: null, a number, a string; else an object with one member that says what it is: {"integer": "..."}
// beyond 2^53 - 1 on either side, {"real": "Infinity"}, {"blob_b64": "..."}, {"text_b64": "..."} for text that is no
// UTF-8.
std::string json_value(const sqlite::SqlValue& value);

// The snapshot that a row is of, where several are asked.
struct RowOrigin {
  std::string id;         // whole
  std::string cut_point;  // RFC 3339
};

// Used by one thread: for each snapshot columns(), then its rows; finish() at the end.
class QueryPrinter {
 public:
  QueryPrinter() = default;
  QueryPrinter(const QueryPrinter&) = delete;
  QueryPrinter& operator=(const QueryPrinter&) = delete;
  virtual ~QueryPrinter() = default;
  // Error(failed) where they are not those of the snapshot before, and the form has one set of them.
  virtual void columns(const std::vector<std::string>& names, const RowOrigin* origin) = 0;
  virtual void row(const sqlite::SqlRow& values, const RowOrigin* origin) = 0;
  virtual void finish() {}
};

struct QueryForm {
  enum class Kind { table, csv, json, insert };
  Kind kind = Kind::table;
  std::string table = {};     // insert: where the rows go
  bool for_terminal = false;  // csv: control characters are made visible
};

// checked: called after what is printed, so that a lost output ends the query.
std::unique_ptr<QueryPrinter> make_query_printer(const QueryForm& form, std::ostream& to,
                                                 std::function<void()> checked);

}  // namespace cairn
