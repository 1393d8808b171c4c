// SQL over databases in snapshots, which are not restored for it.
#pragma once

#include "capture/sqlite/query_process.hpp"
#include "engine/inside/looker.hpp"
#include "repo/manifest.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct QueryTarget {
  std::string schema;  // how SQL calls it; of the first one: main
  const Manifest* manifest = nullptr;
  std::optional<std::string> path;  // of the database in the snapshot
};

struct QueryLimits {
  std::chrono::milliseconds time{0};
  std::uint64_t memory = 0;  // of SQLite; the Looker's frames are beside it
};

// Runs the statement over the databases. Only pages that SQLite asks for are read, with what lies in a frame with them;
// every byte is held against its digest before SQLite sees it. What SQL may do is in query_session.hpp. Throws what
// sqlite::run_query() does (Error(usage), too, for what is no database), Looker::open() and FileReader::read_at().
void query_snapshots(Looker& looker, const std::string& sql, const std::vector<QueryTarget>& targets,
                     const QueryLimits& limits, const sqlite::QuerySink& sink);

}  // namespace cairn
