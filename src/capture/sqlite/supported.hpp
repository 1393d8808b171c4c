// Databases that SQLite's own locks and logs do not keep.
#pragma once

#include "capture/sqlite/directories.hpp"

#include <string>

namespace cairn::sqlite {

// The name of the file system that an open file lies on, where its locks are not seen by every process that may write
// there; else null. Throws Error(failed).
const char* remote_file_system(int fd, const std::string& shown);

// Throws SqliteError where a fork of SQLite keeps the database (wal2, libSQL).
void require_known_format(LiveDirectory& directory, const std::string& shown);

}  // namespace cairn::sqlite
