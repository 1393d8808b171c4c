#include "cli/query_output.hpp"

#include "unit/capture/sqlite_support.hpp"
#include "unit/support.hpp"
#include "util/json.hpp"

#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using sqlite::SqlBlob;
using sqlite::SqlNull;
using sqlite::SqlRow;
using sqlite::SqlText;
using sqlite::SqlValue;

namespace {

std::string printed(const QueryForm& form, const std::vector<std::string>& names, const std::vector<SqlRow>& rows,
                    const RowOrigin* origin = nullptr) {
  std::ostringstream out;
  const auto printer = make_query_printer(form, out, [] {});
  printer->columns(names, origin);
  for (const auto& row : rows) printer->row(row, origin);
  printer->finish();
  return out.str();
}

const std::vector<SqlValue>& odd_values() {
  static const std::vector<SqlValue> k_values{SqlNull{},
                                              std::int64_t{0},
                                              std::numeric_limits<std::int64_t>::max(),
                                              std::numeric_limits<std::int64_t>::min(),
                                              std::int64_t{9007199254740991},
                                              1.0,
                                              -0.1,
                                              1e300,
                                              5e-324,
                                              std::numeric_limits<double>::infinity(),
                                              -std::numeric_limits<double>::infinity(),
                                              SqlText{""},
                                              SqlText{"it's \"quoted\", here"},
                                              SqlText{"two\nlines"},
                                              SqlText{"\x1b[31mred\r\t"},
                                              SqlText{std::string{"a\0b", 3}},
                                              SqlText{"\xe2\x80\xae over"},
                                              SqlText{"\xff\xfe"},
                                              SqlBlob{""},
                                              SqlBlob{std::string(100, '\x05')}};
  return k_values;
}

}  // namespace

TEST_CASE("query output: a literal is the value again, and safe for a terminal") {
  test::Database db{":memory:"};
  std::vector<SqlValue> values = odd_values();
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "x\r";
  values.emplace_back(SqlText{many});
  std::mt19937 random{1};
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (std::size_t k = random() % 20; k > 0; --k) text += static_cast<char>(random());
    values.emplace_back(SqlText{text});
    values.emplace_back(static_cast<std::int64_t>(random()) << (random() % 32));
    values.emplace_back(static_cast<double>(random()) / static_cast<double>(1 + random() % 1000));
  }
  for (const auto& value : values) {
    const std::string literal = sql_literal(value);
    CAPTURE(literal);
    std::string plain = literal;
    std::erase(plain, '\n');
    CHECK(terminal_safe(plain) == plain);
    sqlite3_stmt* raw = nullptr;
    REQUIRE(sqlite3_prepare_v2(db.handle(), ("SELECT " + literal).c_str(), -1, &raw, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_step(raw) == SQLITE_ROW);
    const auto bytes = [&](const void* data) {
      return std::string(static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(raw, 0)));
    };
    SqlValue back = SqlNull{};
    switch (sqlite3_column_type(raw, 0)) {
      case SQLITE_INTEGER:
        back = static_cast<std::int64_t>(sqlite3_column_int64(raw, 0));
        break;
      case SQLITE_FLOAT:
        back = sqlite3_column_double(raw, 0);
        break;
      case SQLITE_TEXT:
        back = SqlText{bytes(sqlite3_column_text(raw, 0))};
        break;
      case SQLITE_BLOB: {
        const void* const data = sqlite3_column_blob(raw, 0);
        back = SqlBlob{data == nullptr ? "" : bytes(data)};
        break;
      }
      default:
        break;
    }
    sqlite3_finalize(raw);
    CHECK(back == value);
  }
}

TEST_CASE("query output: names are quoted, and refused where they cannot be shown") {
  CHECK(sql_name("a \"b\"") == "\"a \"\"b\"\"\"");
  CHECK(test::failure_of([] { sql_name("a\nb"); }) == ErrorKind::usage);
  CHECK(test::failure_of([] { sql_name(""); }) == ErrorKind::usage);
}

TEST_CASE("query output: JSON says what is no plain value") {
  const char* const expected[] = {"null",
                                  "0",
                                  R"({"integer":"9223372036854775807"})",
                                  R"({"integer":"-9223372036854775808"})",
                                  "9007199254740991",
                                  "1.0",
                                  "-0.1",
                                  "1e+300",
                                  "5e-324",
                                  R"({"real":"Infinity"})",
                                  R"({"real":"-Infinity"})",
                                  R"("")"};
  std::size_t i = 0;
  for (const char* const text : expected) CHECK(json_value(odd_values()[i++]) == text);
  CHECK(json_value(SqlText{"\xff"}) == R"({"text_b64":"/w=="})");
  CHECK(json_value(SqlBlob{"\xff"}) == R"({"blob_b64":"/w=="})");
  for (const auto& value : odd_values()) CHECK_NOTHROW(Json::parse(json_value(value)));
  const std::string lines = printed({.kind = QueryForm::Kind::json}, {"a", "a", "a:1", "\xff"},
                                    {{std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, SqlNull{}}});
  std::istringstream in{lines};
  for (std::string line; std::getline(in, line);) CHECK_NOTHROW(Json::parse(line));
  CHECK(lines.ends_with("{\"schema\":\"cairn.query/1\",\"row\":{\"a\":1,\"a:2\":2,\"a:1\":3,\"\\\\xff\":null}}\n"));
}

TEST_CASE("query output: CSV tells NULL from text without length") {
  CHECK(printed({.kind = QueryForm::Kind::csv}, {"a", "b,c"},
                {{SqlNull{}, SqlText{""}}, {SqlText{"x\"y"}, 1.5}, {SqlText{" \n"}, SqlBlob{"\1"}}}) ==
        "a,\"b,c\"\n,\"\"\n\"x\"\"y\",1.5\n\" \n\",X'01'\n");
  CHECK(printed({.kind = QueryForm::Kind::csv, .for_terminal = true}, {"a"}, {{SqlText{"\x1b[2J"}}}) ==
        "a\n\\x1b[2J\n");
  const RowOrigin origin{"0123456789abcdef", "2026-01-01T00:00:00Z"};
  CHECK(printed({.kind = QueryForm::Kind::csv}, {"a"}, {{std::int64_t{1}}}, &origin) ==
        "snapshot,cut_point,a\n0123456789abcdef,2026-01-01T00:00:00Z,1\n");
  std::ostringstream out;
  const auto printer = make_query_printer({.kind = QueryForm::Kind::csv}, out, [] {});
  printer->columns({"a"}, &origin);
  CHECK(test::failure_of([&] { printer->columns({"a", "b"}, &origin); }) == ErrorKind::failed);
}

TEST_CASE("query output: a table is aligned, and safe for a terminal") {
  CHECK(printed({}, {"n", "text"}, {{std::int64_t{5}, SqlText{"a\x1b"}}, {std::int64_t{100}, SqlNull{}}}) ==
        "  n  text\n  5  a\\x1b\n100  NULL\n");
  CHECK(printed({}, {"n"}, {}) == "n\n");
  // Rows behind those that decide how wide the columns are.
  std::vector<SqlRow> rows(600, {std::int64_t{1}, SqlText{"x"}});
  rows.push_back({std::int64_t{1000}, SqlText{"wide"}});
  const std::string text = printed({}, {"n", "t"}, rows);
  CHECK(text.starts_with("n  t\n1  x\n"));
  CHECK(text.ends_with("1  x\n1000  wide\n"));
  CHECK(printed({}, {"b"}, {{SqlBlob{std::string(100, 'a')}}}).find("... (100 B)") != std::string::npos);
}

TEST_CASE("query output: rows as statements that put them back") {
  CHECK(printed({.kind = QueryForm::Kind::insert, .table = "t"}, {"a", "b"}, {{std::int64_t{1}, SqlText{"it's"}}}) ==
        "BEGIN;\nINSERT INTO \"t\"(\"a\",\"b\") VALUES(1,'it''s');\nCOMMIT;\n");
}
