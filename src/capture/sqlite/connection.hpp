// A SQLite connection for reading or settling, and the files below it through SQLite's own handles.
#pragma once

#include "capture/sqlite/format.hpp"
#include "capture/sqlite/patience.hpp"
#include "util/error.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

struct sqlite3;
struct sqlite3_file;

namespace cairn::sqlite {

// SQLite said no. code is its primary result code.
class SqliteError : public SourceError {
 public:
  // kind is busy for SQLITE_BUSY, SQLITE_LOCKED and SQLITE_PROTOCOL, failed for all else.
  // hint: of the kind's own where it is empty.
  SqliteError(std::string_view verb, const fs::path& path, int result, const std::string& text, std::string hint = {});
  int code() const noexcept { return m_code & 0xff; }
  // The database cannot be used where it lies: a hot journal to roll back, a log to recover, -shm or -wal to make,
  // and the open is read-only or the directory is.
  bool needs_staging() const noexcept;
  // The bytes are no database, or a damaged one.
  bool is_of_content() const noexcept;
  bool is_for_want_of_space() const noexcept;

 private:
  int m_code;
};

// A file of an open connection; valid as long as that is. Reads need no descriptor of our own.
class SqliteFile {
 public:
  SqliteFile(sqlite3_file* file, fs::path path) : m_file(file), m_path(std::move(path)) {}
  std::uint64_t size() const;
  enum class Whole { no, yes };
  // Fills out from the offset; what lies behind the end of the file becomes zeros, and the answer no.
  Whole read(ByteSpan out, std::uint64_t offset) const;
  const fs::path& path() const noexcept { return m_path; }
  sqlite3_file* handle() const noexcept { return m_file; }

 private:
  sqlite3_file* m_file;
  fs::path m_path;
};

// Used by one thread at a time. The destructor ends a transaction and closes; it never checkpoints.
//
// The share of this process that SQLite may take is bounded for all connections together: memory
// (use_bounded_memory()), the length of SQL text and values, no temporary files.
class Connection {
 public:
  enum class Mode {
    read_only,  // a live database: nothing is checkpointed, no mode is changed
    own_copy,   // read-write, made if absent: a private copy, without durability
    alone,      // read-write: a live database that nobody else may have open, fully durable; its logs stay
    beside,     // read-write: a live database that others use, and that may be damaged; fully durable; its logs stay
    at_rest,    // nobody uses it: without locks, and without what lies beside it (immutable=1)
  };
  // path: as SQLite opens it (directories.hpp); shown: in messages. patience outlives the connection.
  Connection(const std::string& path, fs::path shown, Mode mode, Patience& patience);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  sqlite3* handle() const noexcept { return m_db.get(); }
  const fs::path& path() const noexcept { return m_shown; }

  // Statements without results.
  void execute(const char* sql);
  // Takes a read transaction without parsing the schema, and gives PRAGMA schema_version.
  std::int64_t begin_read();
  void end_read();
  // Whether what SQLite reads in this transaction is the main file overlaid by a log. It is so wherever a log lies
  // beside the database, whatever its header says.
  bool uses_wal() const;
  // Of a copy of one's own: all that its log holds goes into the main file. Nothing where it has no log.
  void copy_log_back();
  // In Mode::alone: has SQLite recover what a crash left, takes the exclusive lock, and brings all that the log holds
  // into the main file. The log stays as it is. From then on nobody else reads or writes until this process ends.
  void settle();

  SqliteFile main_file() const;
  // The log, in WAL mode.
  SqliteFile journal_file() const;

  // The two copies of the index header agree, or nothing.
  std::optional<WalIndexHeader> wal_index_header() const;
  // Frames already copied into the main file.
  std::uint32_t backfilled() const;
  // Whether the wal-index is real shared memory that this process may write (its read mark, then, is its own).
  bool maps_wal_index();

 private:
  struct Close {
    void operator()(sqlite3* db) const noexcept;
  };
  [[noreturn]] void fail(std::string_view verb, int result) const;
  static int wait_for_turn(void* connection, int waits) noexcept;
  std::uint32_t shared_word(std::size_t offset) const noexcept;

  fs::path m_shown;
  Patience& m_patience;
  std::unique_ptr<sqlite3, Close> m_db;
  const volatile std::uint32_t* m_index = nullptr;  // first region of the wal-index, mapped by SQLite
};

// Bounds what SQLite takes of this process from now on; beyond it a statement fails for want of memory.
void use_bounded_memory();

}  // namespace cairn::sqlite
