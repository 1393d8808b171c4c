#include "writer.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::hammer {

namespace {

constexpr std::int64_t k_changed_rows = 4;

Database open_as(const fs::path& path, const Habits& habits) {
  Database db{path, habits.busy_timeout};
  // The mode of a rollback journal is each connection's own; WAL is the database's.
  db.run("PRAGMA journal_mode = " + habits.journal_mode);
  db.run(fmt::format("PRAGMA synchronous = {}; PRAGMA cache_size = {}; PRAGMA wal_autocheckpoint = {}",
                     habits.synchronous ? "NORMAL" : "OFF", habits.cache_pages, habits.autocheckpoint));
  sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, habits.checkpoint_on_close ? 0 : 1, nullptr);
  return db;
}

}  // namespace

Writer::Writer(const fs::path& path, const Habits& habits, std::uint64_t seed, CommitLog& log, std::atomic<bool>& deep)
    : m_db(open_as(path, habits)), m_habits(habits), m_log(log), m_deep(deep), m_random(seed) {
  const Ledger ledger = read_ledger(m_db);
  m_sizes = ledger.sizes;
  m_rows = ledger.rows;
}

std::int64_t Writer::random(std::int64_t from, std::int64_t to) {
  return std::uniform_int_distribution<std::int64_t>{from, to}(m_random);
}

Deed Writer::choose() {
  if (m_rows < m_habits.least_rows) return Deed::grow;
  if (m_rows > m_habits.most_rows) return Deed::shrink;
  const std::int64_t die = random(1, 100);
  if (die <= 50) return Deed::change;
  if (die <= 60) return Deed::rewrite;
  if (die <= 74) return Deed::grow;
  if (die <= 84) return Deed::shrink;
  if (die <= 89) return Deed::undo;
  if (die <= 92) return Deed::index;
  if (die <= 97) return Deed::vacuum_some;
  return m_habits.vacuum ? Deed::vacuum : Deed::change;
}

int Writer::act(Deed deed) {
  // A committed state like any other, with the same rows.
  if (deed == Deed::vacuum) {
    const int result = m_db.attempt("VACUUM");
    if (result != SQLITE_OK && !is_busy(result)) throw Failure{"VACUUM", m_db.handle()};
    return result;
  }
  int result = SQLITE_OK;
  try {
    m_db.run("BEGIN IMMEDIATE");
    m_sum = 0;
    m_more_rows = 0;
    perform(deed);
    if (deed == Deed::undo) {
      m_db.run("ROLLBACK");
    } else {
      commit();
    }
  } catch (const Failure& failure) {
    if (!failure.is_busy()) throw;
    result = failure.code();
    if (sqlite3_get_autocommit(m_db.handle()) == 0) m_db.run("ROLLBACK");
  }
  m_deep = false;
  return result;
}

std::vector<Writer::Row> Writer::rows_from(std::int64_t id, std::int64_t count) {
  std::vector<Row> rows;
  m_select.bind(1, id).bind(2, count);
  while (m_select.step()) rows.push_back({.id = m_select.integer(0), .version = m_select.integer(1)});
  return rows;
}

std::vector<Writer::Row> Writer::some_rows(Deed deed) {
  m_last.step();
  const std::int64_t last = m_last.integer(0);
  m_last.reset();
  switch (deed) {
    case Deed::change: {
      std::vector<Row> rows;
      for (std::int64_t i = 0; i < k_changed_rows; ++i) {
        for (const Row& row : rows_from(random(1, std::max<std::int64_t>(last, 1)), 1)) {
          if (std::ranges::none_of(rows, [&](const Row& other) { return other.id == row.id; })) rows.push_back(row);
        }
      }
      return rows;
    }
    case Deed::shrink: {
      const std::int64_t many = m_rows > m_habits.most_rows ? m_rows / 2 : std::max<std::int64_t>(m_rows / 8, 1);
      return rows_from(random(1, std::max<std::int64_t>(last, 1)), random(1, many));
    }
    default: {
      std::vector<Row> rows = rows_from(1, last);
      const std::int64_t odd = random(0, 1);
      std::erase_if(rows, [&](const Row& row) { return row.id % 2 == odd; });
      return rows;
    }
  }
}

void Writer::change(const std::vector<Row>& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& [id, version] = rows[i];
    m_update.bind(1, id).bind(2, version + 1).bind(3, row_blob(id, version + 1, m_sizes)).run();
    m_sum += row_hash(id, version + 1) - row_hash(id, version);
    m_deep = i >= rows.size() / 2;
  }
}

void Writer::insert(std::int64_t count) {
  m_last.step();
  const std::int64_t last = m_last.integer(0);
  m_last.reset();
  for (std::int64_t id = last + 1; id <= last + count; ++id) {
    m_insert.bind(1, id).bind(2, row_blob(id, 0, m_sizes)).run();
    m_sum += row_hash(id, 0);
    ++m_more_rows;
  }
}

void Writer::remove(const std::vector<Row>& rows) {
  for (const auto& [id, version] : rows) {
    m_delete.bind(1, id).run();
    m_sum -= row_hash(id, version);
    --m_more_rows;
  }
}

void Writer::perform(Deed deed) {
  switch (deed) {
    case Deed::change:
    case Deed::rewrite:
    case Deed::undo:
      return change(some_rows(deed));
    case Deed::grow:
      return insert(random(1, std::max<std::int64_t>(m_rows / 8, 1)));
    case Deed::shrink:
      return remove(some_rows(deed));
    case Deed::index:
      return m_db.run(random(0, 1) == 0 ? "CREATE INDEX IF NOT EXISTS by_version ON data(version)"
                                        : "DROP INDEX IF EXISTS by_version");
    case Deed::vacuum_some:  // of no effect without auto_vacuum = INCREMENTAL
      return m_db.run(fmt::format("PRAGMA incremental_vacuum({})", random(1, 100)));
    case Deed::vacuum:
      return;
  }
}

void Writer::commit() {
  m_ledger.bind(1, static_cast<std::int64_t>(m_sum & k_sum_mask)).bind(2, m_more_rows);
  if (!m_ledger.step()) throw std::runtime_error{"the ledger is empty"};
  const std::int64_t commits = m_ledger.integer(0);
  const auto sum = static_cast<std::uint64_t>(m_ledger.integer(1));
  const std::int64_t rows = m_ledger.integer(2);
  m_ledger.run();
  m_log.attempt(commits, sum);
  m_db.run("COMMIT");
  m_log.committed(commits);
  m_rows = rows;
}

}  // namespace cairn::hammer
