// The oracle: a database that tells by itself whether it is exactly one committed state.
//
// A row's blob is made from its id and version alone. The one row of `ledger` holds the sum of a hash over (id,
// version) of all rows, their number and the number of commits; every transaction that changes rows moves it. An image
// that mixes two states has a row, a sum or a count that does not fit, or fails SQLite's own integrity check.
#pragma once

#include "database.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace cairn::hammer {

// Bytes of a row's blob; each row and version has a size of its own between the two.
struct RowSizes {
  std::int64_t least = 3900;  // a row fills a page of 4096
  std::int64_t most = 3900;
};

std::uint64_t row_hash(std::int64_t id, std::int64_t version);
Bytes row_blob(std::int64_t id, std::int64_t version, const RowSizes& sizes);

inline constexpr std::uint64_t k_sum_mask = (1ULL << 62) - 1;  // stays an SQLite integer

struct Ledger {
  std::uint64_t sum = 0;
  std::int64_t commits = 0;
  std::int64_t rows = 0;
  RowSizes sizes;
};

// Tables and rows 1 to so many, of version 0, in one transaction. Page size and modes are the caller's to set.
Ledger create_tables(Database& db, std::int64_t rows, const RowSizes& sizes);
Ledger read_ledger(Database& db);

struct Verdict {
  std::string wrong;  // empty where the file is one committed state
  Ledger ledger;
};
// Opens the file as a database. Of a table `filler`, if there is one, it expects blobs of zeros.
Verdict check_state(const fs::path& file);

// Which states were committed, in memory that processes share. A writer notes each commit before it is made, while
// nobody else can make one: a state that was never committed (rolled back, killed half-way) has no lasting note.
class CommitLog {
 public:
  void attempt(std::int64_t commits, std::uint64_t sum);
  void committed(std::int64_t commits);
  std::int64_t newest_commit() const { return m_committed.load(); }   // at least this one is durable
  std::int64_t newest_attempt() const { return m_attempted.load(); }  // nothing beyond it can be seen
  bool holds(const Ledger& ledger) const;

 private:
  std::atomic<std::int64_t> m_attempted{0};
  std::atomic<std::int64_t> m_committed{0};
  std::array<std::atomic<std::uint64_t>, 1 << 16> m_sums{};
};

void raise_to(std::atomic<std::int64_t>& maximum, std::int64_t value);

}  // namespace cairn::hammer
