#include "capture/sqlite/query_process.hpp"
#include "unit/capture/sqlite_support.hpp"
#include "unit/support.hpp"
#include "util/bytes.hpp"
#include "util/file.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using sqlite::Query;
using sqlite::QueryError;
using sqlite::SqlBlob;
using sqlite::SqlNull;
using sqlite::SqlRow;
using sqlite::SqlText;
using Cause = sqlite::QueryFailed::Cause;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int k_sql = static_cast<int>(Cause::sql);
constexpr int k_forbidden = static_cast<int>(Cause::forbidden);
constexpr int k_time = static_cast<int>(Cause::time);
constexpr int k_memory = static_cast<int>(Cause::memory);
constexpr int k_content = static_cast<int>(Cause::content);

// Databases as bytes, and what a query of them gave.
struct Images {
  std::vector<Bytes> images;
  std::chrono::milliseconds time{20'000};
  std::uint64_t memory = 32 << 20;
  std::uint64_t reads = 0;
  std::uint64_t read_bytes = 0;
  std::vector<std::string> names;
  std::vector<SqlRow> rows;

  void add(const std::string& sql, const std::string& mode = "delete") {
    const TemporaryDirectory directory{fs::temp_directory_path()};
    const fs::path path = directory.path() / "image.db";
    {
      test::Database db{path};
      db.run("PRAGMA page_size = 1024; PRAGMA journal_mode = " + mode + ";" + sql);
    }
    images.push_back(read_file(path));
  }

  void ask(const std::string& sql) {
    Query query{.sql = sql, .databases = {}, .time = time, .memory = memory};
    for (std::size_t i = 0; i < images.size(); ++i) {
      query.databases.push_back({.schema = i == 0 ? "main" : "other" + std::to_string(i),
                                 .shown = "image",
                                 .size = images[i].size(),
                                 .read = [this, i](std::uint64_t offset, std::uint64_t length, std::uint64_t) {
                                   ++reads;
                                   read_bytes += length;
                                   const ByteView bytes = ByteView{images[i]}.subspan(offset, length);
                                   return Bytes(bytes.begin(), bytes.end());
                                 }});
    }
    names.clear();
    rows.clear();
    const sqlite::QuerySink sink{.columns = [this](const std::vector<std::string>& all) { names = all; },
                                 .row = [this](const SqlRow& row) { rows.push_back(row); }};
    sqlite::run_query(query, sink);
  }

  // -1: it is answered.
  int refused(const std::string& sql) {
    try {
      ask(sql);
    } catch (const QueryError& e) {
      CAPTURE(e.message());
      return static_cast<int>(e.cause());
    }
    return -1;
  }
};

constexpr const char* k_rows =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX i ON t(v); WITH RECURSIVE n(x) AS (SELECT 1 UNION "
    "ALL "
    "SELECT x + 1 FROM n WHERE x < 20000) INSERT INTO t SELECT x, 'value ' || x FROM n;";

}  // namespace

TEST_CASE("sqlite query: values of every type arrive as they are") {
  Images t;
  t.add("CREATE TABLE t(a)");
  t.ask(
      "SELECT NULL, 9223372036854775807, -9223372036854775808, 1.5, 9e999, '', 'a' || char(0) || 'b', X'', X'00ff', "
      "CAST(X'ff41' AS TEXT) AS \"odd\"");
  REQUIRE(t.rows.size() == 1);
  REQUIRE(t.names.size() == 10);
  CHECK(t.names.back() == "odd");
  const SqlRow expected{SqlNull{},
                        std::numeric_limits<std::int64_t>::max(),
                        std::numeric_limits<std::int64_t>::min(),
                        1.5,
                        std::numeric_limits<double>::infinity(),
                        SqlText{""},
                        SqlText{std::string{"a\0b", 3}},
                        SqlBlob{""},
                        SqlBlob{std::string{"\0\xff", 2}},
                        SqlText{"\xff"
                                "A"}};
  CHECK(t.rows.front() == expected);
  t.ask("SELECT * FROM t");
  CHECK(t.rows.empty());
  CHECK(t.names == std::vector<std::string>{"a"});
}

TEST_CASE("sqlite query: a row that is larger than a message, and more rows than fit into one") {
  Images t;
  t.add(k_rows);
  t.ask("SELECT zeroblob(3000000), 'after'");
  REQUIRE(t.rows.size() == 1);
  CHECK(std::get<SqlBlob>(t.rows[0][0]).bytes == std::string(3'000'000, '\0'));
  CHECK(std::get<SqlText>(t.rows[0][1]).bytes == "after");
  t.ask("SELECT id, v FROM t ORDER BY id");
  REQUIRE(t.rows.size() == 20000);
  for (std::int64_t i = 0; i < 20000; ++i) {
    REQUIRE(t.rows[static_cast<std::size_t>(i)] == SqlRow{i + 1, SqlText{"value " + std::to_string(i + 1)}});
  }
}

TEST_CASE("sqlite query: what an index leads to takes a few pages, whatever the size") {
  Images t;
  t.add(k_rows);
  REQUIRE(t.images.front().size() > 500'000);
  t.ask("SELECT id FROM t WHERE v = 'value 12345'");
  CHECK(t.rows == std::vector<SqlRow>{{std::int64_t{12345}}});
  CHECK(t.read_bytes < 20'000);
  t.images.front()[18] = t.images.front()[19] = 2;  // it is in WAL mode, its log is not there
  t.ask("SELECT count(*) FROM t");
  CHECK(t.rows == std::vector<SqlRow>{{std::int64_t{20000}}});
}

TEST_CASE("sqlite query: several databases, and an empty one") {
  Images t;
  t.add("CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)", "wal");
  t.add("CREATE TABLE t(a); INSERT INTO t VALUES(2), (3)");
  t.images.emplace_back();
  t.ask("SELECT a FROM t EXCEPT SELECT a FROM other1.t");
  CHECK(t.rows == std::vector<SqlRow>{{std::int64_t{1}}});
  t.ask("SELECT count(*) FROM other2.sqlite_schema");
  CHECK(t.rows == std::vector<SqlRow>{{std::int64_t{0}}});
}

TEST_CASE("sqlite query: all but reading is refused") {
  Images t;
  t.add("CREATE TABLE t(a); INSERT INTO t VALUES(1); CREATE VIEW v AS SELECT load_extension('x') AS a");
  const Bytes before = t.images.front();
  for (const std::string sql : {"INSERT INTO t VALUES(2)",
                                "UPDATE t SET a = 2",
                                "DELETE FROM t",
                                "REPLACE INTO t VALUES(3)",

                                "CREATE TABLE u(a)",
                                "CREATE TEMP TABLE u(a)",
                                "CREATE TEMP VIEW w AS SELECT 1",
                                "CREATE INDEX j ON t(a)",
                                "CREATE VIRTUAL TABLE f USING fts5(a)",
                                "DROP TABLE t",
                                "ALTER TABLE t RENAME TO u",
                                "ATTACH ':memory:' AS m",
                                "ATTACH '/etc/passwd' AS m",
                                "ATTACH '0' AS m",
                                "DETACH main",
                                "BEGIN",
                                "BEGIN IMMEDIATE",
                                "COMMIT",
                                "SAVEPOINT s",
                                "VACUUM",
                                "VACUUM INTO '/tmp/x'",
                                "REINDEX",
                                "ANALYZE",
                                "PRAGMA query_only = OFF",
                                "PRAGMA trusted_schema = ON",
                                "PRAGMA writable_schema = ON",
                                "PRAGMA journal_mode = WAL",
                                "PRAGMA journal_mode",
                                "PRAGMA user_version = 3",
                                "PRAGMA temp_store_directory = '/tmp'",
                                "PRAGMA hard_heap_limit = 0",
                                "PRAGMA soft_heap_limit = 0",
                                "PRAGMA cell_size_check = OFF",
                                "PRAGMA mmap_size = 1000000",
                                "PRAGMA cache_size = 1000000",
                                "PRAGMA optimize",
                                "PRAGMA wal_checkpoint",
                                "PRAGMA incremental_vacuum",
                                "PRAGMA encoding = 'UTF-16'",

                                "EXPLAIN DELETE FROM t",
                                "WITH x AS (SELECT 1) DELETE FROM t"}) {
    CAPTURE(sql);
    CHECK(t.refused(sql) == k_forbidden);
  }
  for (const std::string sql :
       {"", "  -- nothing", "SELECT 1; SELECT 2", "SELECT 1; DELETE FROM t", "SELEC 1", "SELECT nothing",
        "SELECT * FROM nowhere", "SELECT ?", "SELECT writefile('x', 'y')", "SELECT readfile('x')",
        "SELECT load_extension('x')", "UPDATE sqlite_master SET sql = ''", "SELECT * FROM v"}) {
    CAPTURE(sql);
    const int cause = t.refused(sql);
    CHECK((cause == k_sql || cause == k_forbidden));
  }
  CHECK(test::failure_of([&] { t.ask("SELEC 1"); }) == ErrorKind::usage);
  for (const std::string sql :
       {"SELECT 1;", "SELECT 1; -- the end", "VALUES(1)", "WITH x(a) AS (SELECT 1) SELECT * FROM x", "PRAGMA page_size",
        "PRAGMA table_info(t)", "PRAGMA user_version", "PRAGMA integrity_check",
        "SELECT name FROM pragma_table_info('t')", "EXPLAIN QUERY PLAN SELECT * FROM t", "SELECT datetime('now')",
        "SELECT value FROM json_each('[1]')"}) {
    CAPTURE(sql);
    CHECK(t.refused(sql) == -1);
    CHECK(!t.rows.empty());
  }
  CHECK(t.images.front() == before);
}

TEST_CASE("sqlite query: the child reaches no file") {
  Images t;
  t.add("CREATE TABLE t(a)");
  // A database of another name is not there, whatever lies on the disk under it.
  CHECK(t.refused("SELECT * FROM fsdir('/')") == k_sql);
  CHECK(t.refused("ATTACH 'file:/etc/passwd?vfs=unix' AS m") == k_forbidden);
}

TEST_CASE("sqlite query: what does not end is ended") {
  Images t;
  t.add(
      "CREATE TABLE t(a); CREATE VIEW endless AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
      "SELECT max(x) AS x FROM n");
  t.time = std::chrono::milliseconds{300};
  const auto begun = Clock::now();
  CHECK(t.refused("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n") == k_time);
  CHECK(t.refused("SELECT * FROM endless") == k_time);
  CHECK(test::failure_of([&] { t.ask("SELECT * FROM endless"); }) == ErrorKind::failed);
  CHECK(Clock::now() - begun < std::chrono::seconds{15});
}

TEST_CASE("sqlite query: what takes too much memory is ended") {
  Images t;
  t.add(k_rows);
  t.memory = 8 << 20;
  CHECK(t.refused("SELECT zeroblob(100000000)") == k_memory);
  CHECK(t.refused("SELECT count(*) FROM (SELECT a.v || randomblob(500) FROM t a, t b ORDER BY 1)") == k_memory);
  t.ask("SELECT count(*) FROM t");
  CHECK(t.rows == std::vector<SqlRow>{{std::int64_t{20000}}});
}

TEST_CASE("sqlite query: pages that cannot be had end it with what the one who read them says") {
  Images t;
  t.add(k_rows);
  Query query{.sql = "SELECT count(*) FROM t", .databases = {}, .time = t.time, .memory = t.memory};
  query.databases.push_back({.schema = "main",
                             .shown = "image",
                             .size = t.images.front().size(),
                             .read = [&](std::uint64_t offset, std::uint64_t length, std::uint64_t) -> Bytes {
                               if (offset > 5000) throw Error(ErrorKind::damaged, "damaged pack 'x'", "a hint");
                               const ByteView bytes = ByteView{t.images.front()}.subspan(offset, length);
                               return Bytes(bytes.begin(), bytes.end());
                             }});
  const sqlite::QuerySink none{.columns = [](const auto&) {}, .row = [](const auto&) {}};
  CHECK(test::failure_of([&] { sqlite::run_query(query, none); }) == ErrorKind::damaged);
  CHECK(test::message_of([&] { sqlite::run_query(query, none); }) == "damaged pack 'x'");
  // The sink's own failure comes through as well.
  query.sql = "SELECT 1";
  const sqlite::QuerySink full{.columns = [](const auto&) {},
                               .row = [](const auto&) { throw Error(ErrorKind::failed, "disk full"); }};
  CHECK(test::message_of([&] { sqlite::run_query(query, full); }) == "disk full");
  const test::SignalForgotten forgotten;
  set_interrupted(SIGINT);
  CHECK(test::failure_of([&] { sqlite::run_query(query, none); }) == ErrorKind::interrupted);
}

TEST_CASE("sqlite query: hostile images are answered in bounded time, or refused") {
  Images t;
  t.time = std::chrono::milliseconds{500};
  const char* const statements[] = {"SELECT count(*) FROM t", "SELECT * FROM t WHERE v = 'value 77'",
                                    "SELECT max(length(v)) FROM t", "PRAGMA integrity_check",
                                    "SELECT name FROM sqlite_schema"};
  t.add(std::string{k_rows} + "INSERT INTO t VALUES(30000, hex(zeroblob(200000)))");
  const Bytes sound = t.images.front();
  const auto all = [&] {
    for (const std::string sql : statements) {
      CAPTURE(sql);
      const auto begun = Clock::now();
      // Whatever it says, it comes back, and as an Error where it failed.
      test::failure_of([&] { t.ask(sql); });
      CHECK(Clock::now() - begun < std::chrono::seconds{20});
    }
  };
  const auto page = [&](std::uint32_t number) { return t.images.front().data() + (number - 1) * 1024; };
  SUBCASE("an interior page whose children are itself") {
    t.ask("SELECT rootpage FROM sqlite_schema WHERE name = 't'");
    const auto root = static_cast<std::uint32_t>(std::get<std::int64_t>(t.rows[0][0]));
    std::uint8_t* const at = page(root);
    REQUIRE(at[0] == 5);
    const auto put = [&](std::uint8_t* to) {
      to[0] = to[1] = 0;
      to[2] = static_cast<std::uint8_t>(root >> 8);
      to[3] = static_cast<std::uint8_t>(root);
    };
    put(at + 8);
    const unsigned cells = at[3] * 256U + at[4];
    for (unsigned i = 0; i < cells; ++i) put(at + (at[12 + 2 * i] * 256U + at[13 + 2 * i]));
    CHECK(t.refused("SELECT count(*) FROM t") == k_content);
    CHECK(test::failure_of([&] { t.ask("SELECT count(*) FROM t"); }) == ErrorKind::damaged);
    all();
  }
  SUBCASE("overflow pages that lead in a circle") {
    // Every page that looks like one of the chain leads to page 3.
    for (std::uint32_t number = 2; number <= sound.size() / 1024; ++number) {
      std::uint8_t* const at = page(number);
      if (at[0] == 0 && at[1] == 0 && at[4] == '0')
        at[3] = static_cast<std::uint8_t>(number), at[2] = static_cast<std::uint8_t>(number >> 8);
    }
    all();
  }
  SUBCASE("a size beyond the end") {
    for (int i = 28; i < 32; ++i) t.images.front()[static_cast<std::size_t>(i)] = 0x7f;
    all();
    t.images.front() = sound;
    t.images.front().resize(sound.size() / 2 + 100);
    all();
  }
  SUBCASE("bytes that are anything") {
    std::mt19937 random{11};
    for (int round = 0; round < 8; ++round) {
      t.images.front() = sound;
      for (int i = 0; i < 30; ++i)
        t.images.front()[100 + random() % (sound.size() - 100)] = static_cast<std::uint8_t>(random());
      if (round % 4 == 0) {
        for (std::size_t i = 100; i < 1024; ++i) t.images.front()[i] = static_cast<std::uint8_t>(random());
      }
      all();
    }
  }
}
