// One statement, run by SQLite over databases that nobody can trust, so that it only reads and comes to an end.
#pragma once

#include "capture/sqlite/page_vfs.hpp"
#include "capture/sqlite/query_protocol.hpp"

#include <functional>
#include <variant>

namespace cairn::sqlite {

// Runs the statement of the request. rows: told of the bytes of the answer, in pieces of a few ten KiB; must not throw.
//
// What may be asked: one statement that SQLite itself calls read-only, of SELECT, VALUES, WITH, EXPLAIN and a few
// PRAGMAs that tell of the schema. SQLite's advice for files that cannot be trusted is followed (sqlite.org, "Defense
// Against The Dark Arts"): trusted_schema off, defensive, cell sizes checked, no mapping, no extensions, no triggers,
// limits for memory, values and depth. Other databases are attached before the statement is looked at, and by nobody
// else. In this process SQLite's memory is bounded from then on.
std::variant<QueryDone, QueryFailed> answer_query(const QueryRequest& request, PageSupply& supply,
                                                  const std::function<void(ByteView rows)>& rows);

}  // namespace cairn::sqlite
