// An application that writes: transactions of every kind, each one state of the ledger.
#pragma once

#include "ledger.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace cairn::hammer {

// The deed of a transaction.
enum class Deed {
  change,       // a few rows
  rewrite,      // every other row: far more than the cache takes, so it spills before it commits
  grow,         // more rows
  shrink,       // fewer rows
  undo,         // a rewrite that is rolled back
  index,        // makes or drops an index
  vacuum_some,  // PRAGMA incremental_vacuum
  vacuum,       // VACUUM
};

struct Habits {
  std::string journal_mode = "wal";
  bool synchronous = true;  // NORMAL, else OFF
  int cache_pages = -2000;  // as PRAGMA cache_size has it
  int autocheckpoint = 1000;
  bool checkpoint_on_close = true;
  std::int64_t least_rows = 1;  // below and above these it grows and shrinks before anything else
  std::int64_t most_rows = INT64_MAX;
  bool vacuum = true;
  std::chrono::milliseconds busy_timeout = std::chrono::seconds{20};
};

// Used by one process. Throws Failure for all that is not somebody else's turn.
class Writer {
 public:
  // deep is true while a transaction is half done.
  Writer(const fs::path& path, const Habits& habits, std::uint64_t seed, CommitLog& log, std::atomic<bool>& deep);
  Deed choose();
  // SQLITE_OK, or SQLITE_BUSY and its like where it got no turn; nothing is committed then.
  int act(Deed deed);

 private:
  struct Row {
    std::int64_t id;
    std::int64_t version;
  };
  std::int64_t random(std::int64_t from, std::int64_t to);
  std::vector<Row> rows_from(std::int64_t id, std::int64_t count);
  std::vector<Row> some_rows(Deed deed);
  void change(const std::vector<Row>& rows);
  void insert(std::int64_t count);
  void remove(const std::vector<Row>& rows);
  void perform(Deed deed);
  void commit();

  Database m_db;
  const Habits m_habits;
  CommitLog& m_log;
  std::atomic<bool>& m_deep;
  std::mt19937_64 m_random;
  RowSizes m_sizes;
  std::int64_t m_rows = 0;       // as the last own transaction left it
  std::uint64_t m_sum = 0;       // what this transaction adds to the sum
  std::int64_t m_more_rows = 0;  // and to the number of rows
  Statement m_select{m_db, "SELECT id, version FROM data WHERE id >= ?1 ORDER BY id LIMIT ?2"};
  Statement m_last{m_db, "SELECT coalesce(max(id), 0) FROM data"};
  Statement m_insert{m_db, "INSERT INTO data VALUES(?1, 0, ?2)"};
  Statement m_update{m_db, "UPDATE data SET version = ?2, v = ?3 WHERE id = ?1"};
  Statement m_delete{m_db, "DELETE FROM data WHERE id = ?1"};
  Statement m_ledger{m_db,
                     "UPDATE ledger SET sum = (sum + ?1) & 4611686018427387903, commits = commits + 1,"
                     " rows = rows + ?2 RETURNING commits, sum, rows"};
};

}  // namespace cairn::hammer
