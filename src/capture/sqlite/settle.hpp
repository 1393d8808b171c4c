// The child's part in replacing a database: what was there becomes one file, which nobody else may open.
#pragma once

#include "capture/sqlite/connection.hpp"
#include "capture/sqlite/directories.hpp"
#include "capture/sqlite/protocol.hpp"

#include <memory>

namespace cairn::sqlite {

// By its name in its directory, as SQLite itself would: a hot journal is rolled back, a log is recovered and copied
// into the main file, which is fsynced. Afterwards the main file alone is the committed state; -wal, -shm and -journal
// may still be there, and say nothing that it does not. The connection holds SQLite's exclusive lock, and is not to be
// closed: the process ends with it, so that no close ever touches what has the names of the logs by then.
//
// Throws SqliteError, or another SourceError where SQLite would not understand it (wal2, libSQL). The database is then
// as whole as it was.
std::unique_ptr<Connection> settle_database(LiveDirectory& directory, const OpenRequest& request, Patience& patience);

}  // namespace cairn::sqlite
