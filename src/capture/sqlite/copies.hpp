// Copies of a database that cannot be read in its place: under a read transaction where SQLite can open it, the file as
// it is in rollback mode, by the online backup where no zero-copy read of a log is possible; or file by file.
#pragma once

#include "capture/sqlite/connection.hpp"
#include "capture/sqlite/directories.hpp"
#include "capture/sqlite/protocol.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace cairn::sqlite {

// Where copies are made: what SQLite calls k_copy_path.
struct CopyTarget {
  CopyDirectory& directory;
  // Says how many bytes are going to be written there, before the first of them.
  std::function<void(std::uint64_t)> expect;
};

// The files of a database, by their suffixes (companions.hpp).
class SourceFiles {
 public:
  SourceFiles() = default;
  SourceFiles(const SourceFiles&) = delete;
  SourceFiles& operator=(const SourceFiles&) = delete;
  virtual ~SourceFiles() = default;
  // For reading; -1 and errno where it cannot be opened (ENOENT: it is not there). The caller closes it.
  virtual int open(const char* suffix) = 0;
  virtual bool status(const char* suffix, struct stat& out) = 0;
  // A file that cannot be looked at counts as not there, and as empty.
  bool exists(const char* suffix);
  std::uint64_t size_of(const char* suffix);
  // The path, for messages.
  virtual std::string shown(const char* suffix) const = 0;
};

// Copies the database inside a held transaction and lets go of it before it returns. In rollback mode the file as it
// is: the transaction keeps writers out of it. Else with SQLite's online backup, in one step, so it works wherever
// SQLite can read. database_fd: what the connection has the database open by. Throws SourceError.
Opened copy_by_backup(std::unique_ptr<Connection> connection, int database_fd, const CopyTarget& to,
                      Patience& patience);

// Copies the files of a database that nobody has open (with -wal and -journal) below a lock, opens the copy, which
// rolls back or recovers, and gives that. No connection of this process may be open on it. Nothing where a file changed
// meanwhile or just before, or a -shm appeared: somebody may have it open after all, and it must be seen anew how to
// read it. Throws SourceError: busy where a lock stands in the way, or the files kept changing, beyond all patience.
std::optional<Opened> copy_resting_files(SourceFiles& files, const CopyTarget& to, Patience& patience);

}  // namespace cairn::sqlite
