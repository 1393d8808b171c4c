// One name, from what was there to what is restored: by one call, so that a crash leaves the one or the other.
#pragma once

#include "engine/restore/database_logs.hpp"
#include "util/log.hpp"

#include <functional>
#include <optional>
#include <string>

#include <sys/stat.h>

namespace cairn {

struct Replacement {
  int from_directory = -1;
  std::string from;  // what is staged; durable, on the same file system
  int directory = -1;
  std::string name;     // that it gets; what has it is no directory
  std::string shown;    // its path, for messages
  std::string keep_as;  // the name in the directory that the old one gets; empty: the old one goes
  // Else: it gets the staged name, where the file system can exchange the two.
  bool leave_staged = false;
};

// Changes one name, where a SQLite database may be there: it is settled first (capture/sqlite/settled_database.hpp):
// nobody can open it any more, and its main file alone is what was committed. So its -wal, -shm and -journal can go,
// which is made durable, before `change` replaces the main file, which is made durable at once, too: at every moment
// NAME and what lies beside it are the old database or the new one. Only where SQLite cannot do that (a damaged
// database, an encrypted one, one that its owner may not write) main file and logs go one after the other: the logs are
// set aside (DatabaseLogs) first, and a warning says so. Logs that belong to no database there are set aside, too.
//
// change: is told what was there a moment before, and throws where it did not replace that. logs: of the directory;
// what was set aside is the caller's to tell, unless this throws: then it was put back.
//
// Throws Error: busy where somebody has the database open, failed for all else; what is there is then as it was, but
// that SQLite may have recovered it. One thread.
using NameChange = std::function<void(const std::optional<struct stat>& there)>;
void change_name(const Replacement& what, DatabaseLogs& logs, Reporter& reporter, const NameChange& change);

// change_name() of what has the name (or gives it, where nothing has it): by renameat2(RENAME_EXCHANGE), which shows
// what was replaced, and takes it back where that is not what was there a moment before; by rename(2) where the file
// system knows no exchange. Tells which logs were set aside.
//
// keep_as: the old file gets that name, too (link(2)), before it loses its own; by an exchange where the file system or
// the system's rules forbid the link. A database is kept with all that was committed.
void replace_file(const Replacement& what, Reporter& reporter);

// Whether the file system of an open directory exchanges names: tried there on two scratch names. Throws Error(failed)
// where they cannot be made.
bool can_exchange(int directory, const std::string& shown);

}  // namespace cairn
