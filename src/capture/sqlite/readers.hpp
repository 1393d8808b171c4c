// The databases of one source, read by child processes: which child, with whose rights, for how long.
#pragma once

#include "capture/sqlite/image.hpp"
#include "capture/sqlite/protocol.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace cairn {

struct SqliteOptions {
  // How long one database may keep the capture waiting for its locks, and all of a source's together.
  std::chrono::milliseconds busy_timeout{10'000};
  std::chrono::milliseconds lock_budget{30'000};
  // Take the database although its locks may not be seen by everyone who writes it (network and FUSE file systems) or
  // its header is that of a fork of SQLite.
  bool assume_local = false;
  // Where copies are put, in files without a name, if the database cannot be read in its place; nothing: where
  // temporary files go.
  std::optional<fs::path> staging_parent;
};

// SQLite said no, or what it found was nonsense.
class DatabaseError : public SourceError {
 public:
  // The bytes are no database or a damaged one: it cannot be captured at any other time either.
  enum class Cause { other, content };
  DatabaseError(Cause cause, ErrorKind kind, std::string message, std::string hint)
      : SourceError(kind, std::move(message), std::move(hint)), m_cause(cause) {}
  bool is_of_content() const noexcept { return m_cause == Cause::content; }

 private:
  Cause m_cause;
};

namespace sqlite {

// Which database: a name in an open directory (O_PATH is enough), which is that file.
struct DatabasePlace {
  int directory = -1;
  std::string name;
  FileId file;
  std::string shown;  // the path, for messages
};

// Of a database of root's: whether all that lies there is root's, and nobody else owns the directory. Whoever may write
// to it by its group could do to root's own service what he could do to this process.
bool is_roots_alone(const DatabasePlace& place);

// Thread-safe. What it gives may outlive it.
//
// As root each database is opened by a child with the rights of its owner, or of the owner of its -shm where he alone
// can use that; else with this process's own. Root's databases are root's to open (without a capability) where nobody
// else may change what lies beside them. What that identity may not reach is opened here, as any other file of the
// source, and copied by the child. Children are kept for the next database of the same owner.
class Readers {
 public:
  explicit Readers(SqliteOptions options);
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;
  ~Readers();

  // Whether a locked database is tried again later: the first time half of the time for all locks is left for then.
  enum class Round { first, last };
  // Throws SourceError: busy where locks stood in the way for too long, usage where assume_local is missing,
  // DatabaseError, failed for all else, also where the child died; Error(interrupted).
  std::unique_ptr<PageImage> open(const DatabasePlace& place, Round round);

 private:
  class Pool;
  class Attempt;
  std::shared_ptr<Pool> m_pool;
};

}  // namespace sqlite

}  // namespace cairn
