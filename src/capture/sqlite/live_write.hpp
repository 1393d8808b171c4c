// The child's part in a restore into a database that others use: all pages of an image, as one transaction of SQLite's.
#pragma once

#include "capture/sqlite/directories.hpp"
#include "capture/sqlite/patience.hpp"
#include "capture/sqlite/protocol.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <functional>

namespace cairn::sqlite {

// Called on the way. None of them may throw.
struct LiveWriteSteps {
  std::function<void(std::uint64_t bytes)> told;  // of the image, written since it was called last
  std::function<bool()> given_up;                 // whether to take back what was written
  std::function<void(const Committed&)> committed;
};

// By sqlite3_backup, into the name in its directory: its users see what was committed before, or the image, and wait
// for their turn meanwhile. image: a database in rollback mode by its header (SQLite itself gives what it makes of it
// the mode of the database that it goes into), whose file nobody writes. Afterwards, where there is a log, as much of
// it as no reader stands in the way of is copied into the main file, which is what the result says; that may fail, and
// nothing is lost by it.
//
// Throws SqliteError, busy where the locks were not to be had in time; Error(usage) where the image does not fit;
// Error(interrupted) where it was given up. The database is then as it was committed before; but where it has the new
// state and that could not be made durable, the message says so.
LogCopied write_live(LiveDirectory& directory, UniqueFd image, const OpenRequest& request, Patience& patience,
                     const LiveWriteSteps& steps);

}  // namespace cairn::sqlite
