#include "ledger.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn::hammer {

namespace {

std::uint64_t mix(std::uint64_t x) {  // splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators)
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::string check_rows(Database& db, const Ledger& ledger) {
  Statement rows{db, "SELECT id, version, v FROM data"};
  std::uint64_t sum = 0;
  std::int64_t count = 0;
  while (rows.step()) {
    const std::int64_t id = rows.integer(0);
    const std::int64_t version = rows.integer(1);
    const Bytes blob = row_blob(id, version, ledger.sizes);
    if (!std::ranges::equal(blob, rows.blob(2))) return fmt::format("row {} is not of version {}", id, version);
    sum = (sum + row_hash(id, version)) & k_sum_mask;
    ++count;
  }
  if (ledger.sum != sum || ledger.rows != count) {
    return fmt::format("the rows are not those of commit {}", ledger.commits);
  }
  return {};
}

std::string check_filler(Database& db) {
  if (db.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'filler'") == 0) return {};
  Statement rows{db, "SELECT id, v FROM filler"};
  while (rows.step()) {
    const ByteView blob = rows.blob(1);
    if (!std::all_of(blob.begin(), blob.end(), [](std::uint8_t byte) { return byte == 0; })) {
      return fmt::format("row {} of the filler is not zeros", rows.integer(0));
    }
  }
  return {};
}

}  // namespace

std::uint64_t row_hash(std::int64_t id, std::int64_t version) {
  return mix(static_cast<std::uint64_t>(id) << 32 ^ static_cast<std::uint64_t>(version)) & k_sum_mask;
}

Bytes row_blob(std::int64_t id, std::int64_t version, const RowSizes& sizes) {
  std::uint64_t x = row_hash(id, version);
  const std::uint64_t size =
      static_cast<std::uint64_t>(sizes.least) + mix(x ^ 1) % static_cast<std::uint64_t>(sizes.most - sizes.least + 1);
  Bytes blob;
  blob.reserve(size + 8);
  while (blob.size() < size) put_u64(blob, x = mix(x));
  blob.resize(size);
  return blob;
}

Ledger create_tables(Database& db, std::int64_t rows, const RowSizes& sizes) {
  db.run("CREATE TABLE data(id INTEGER PRIMARY KEY, version INTEGER NOT NULL, v BLOB NOT NULL)");
  db.run(
      "CREATE TABLE ledger(sum INTEGER NOT NULL, commits INTEGER NOT NULL, rows INTEGER NOT NULL,"
      " least INTEGER NOT NULL, most INTEGER NOT NULL)");
  Ledger ledger;
  ledger.rows = rows;
  ledger.sizes = sizes;
  Statement insert{db, "INSERT INTO data VALUES(?1, 0, ?2)"};
  db.run("BEGIN");
  for (std::int64_t id = 1; id <= rows; ++id) {
    insert.bind(1, id).bind(2, row_blob(id, 0, sizes)).run();
    ledger.sum = (ledger.sum + row_hash(id, 0)) & k_sum_mask;
  }
  db.run(fmt::format("INSERT INTO ledger VALUES({}, 0, {}, {}, {})", ledger.sum, rows, sizes.least, sizes.most));
  db.run("COMMIT");
  return ledger;
}

Ledger read_ledger(Database& db) {
  Statement row{db, "SELECT sum, commits, rows, least, most FROM ledger"};
  if (!row.step()) throw std::runtime_error{"the ledger is empty"};
  Ledger ledger;
  ledger.sum = static_cast<std::uint64_t>(row.integer(0));
  ledger.commits = row.integer(1);
  ledger.rows = row.integer(2);
  ledger.sizes = {.least = row.integer(3), .most = row.integer(4)};
  return ledger;
}

Verdict check_state(const fs::path& file) {
  Verdict verdict;
  try {
    Database db{file};
    const std::string integrity = db.text("PRAGMA integrity_check(1)");
    if (integrity != "ok") {
      verdict.wrong = integrity;
      return verdict;
    }
    verdict.ledger = read_ledger(db);
    verdict.wrong = check_rows(db, verdict.ledger);
    if (verdict.wrong.empty()) verdict.wrong = check_filler(db);
  } catch (const std::runtime_error& error) {
    verdict.wrong = error.what();
  }
  return verdict;
}

void CommitLog::attempt(std::int64_t commits, std::uint64_t sum) {
  m_sums[static_cast<std::size_t>(commits) % m_sums.size()] = sum;
  raise_to(m_attempted, commits);
}

void CommitLog::committed(std::int64_t commits) {
  raise_to(m_committed, commits);
}

bool CommitLog::holds(const Ledger& ledger) const {
  return ledger.commits >= 0 && newest_attempt() - ledger.commits < static_cast<std::int64_t>(m_sums.size()) &&
         m_sums[static_cast<std::size_t>(ledger.commits) % m_sums.size()] == ledger.sum;
}

void raise_to(std::atomic<std::int64_t>& maximum, std::int64_t value) {
  std::int64_t seen = maximum.load();
  while (seen < value && !maximum.compare_exchange_weak(seen, value)) {
  }
}

}  // namespace cairn::hammer
