// This program's end of the child that answers a query (query_child.hpp says why there is one).
#pragma once

#include "capture/sqlite/query_protocol.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cairn::sqlite {

struct QueriedDatabase {
  std::string schema;  // how SQL calls it; the first one is main
  std::string shown;   // for messages
  std::uint64_t size = 0;
  // The bytes from offset on, `length` of them at least and `most` at most; the child asks for nothing beyond the size.
  // What it throws ends the query, and is thrown on.
  std::function<Bytes(std::uint64_t offset, std::uint64_t length, std::uint64_t most)> read;
};

struct Query {
  std::string sql;
  std::vector<QueriedDatabase> databases;  // 1 to k_most_databases
  std::chrono::milliseconds time{0};       // for the whole of it, waiting for pages included
  std::uint64_t memory = 0;                // of SQLite, and the longest row
};

// Told of an answer as it comes. What it throws ends the query, and is thrown on.
struct QuerySink {
  std::function<void(const std::vector<std::string>& names)> columns;  // once, first; any bytes
  std::function<void(const SqlRow& row)> row;                          // as many values as columns
};

// What the statement is refused for, or comes to.
class QueryError : public Error {
 public:
  using Cause = QueryFailed::Cause;
  // kind: usage where the statement is at fault, damaged where a database is, else failed.
  // reason: the end of the message, which is the same whatever database it is.
  QueryError(Cause cause, const std::string& unable, std::string reason, std::string hint = {});
  Cause cause() const noexcept { return m_cause; }
  const std::string& reason() const noexcept { return m_reason; }

 private:
  Cause m_cause;
  std::string m_reason;
};

// Runs it. Throws QueryError, and what the functions throw; Error(interrupted); Error(failed) where the child dies or
// talks nonsense, or there is none. Comes to an end soon after the time is over, whatever the databases hold, as soon
// as the last read has. One thread.
void run_query(const Query& query, const QuerySink& sink);

}  // namespace cairn::sqlite
