// One committed state of a database as an array of pages, and the ways to get hold of one.
#pragma once

#include "capture/sqlite_connection.hpp"
#include "util/bytes.hpp"
#include "util/time.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace cairn::sqlite {

using Deadline = std::chrono::steady_clock::time_point;

class PageImage {
 public:
  PageImage() = default;
  PageImage(const PageImage&) = delete;
  PageImage& operator=(const PageImage&) = delete;
  virtual ~PageImage() = default;

  virtual std::uint32_t page_size() const = 0;
  virtual std::uint64_t page_count() const = 0;
  // Whole pages, the first counted from 0, ascending from call to call. Throws SourceError.
  virtual void read(std::uint64_t first, ByteSpan out) = 0;
  // After the last page: lets go of the live database at once. False where it turned out not to have stood still.
  virtual bool release() = 0;

  struct Report {
    const char* mode = "";           // "wal", "backup", "staged"
    Time cut_point;                  // what was committed before is in the image
    Nanoseconds wal_pinned{0};       // how long a checkpoint could not reset the log for us; after release()
    Nanoseconds commits_blocked{0};  // how long no transaction could commit (rollback journal)
    std::string schema_digest;       // hexadecimal SHA-256; empty where the schema could not be parsed
  };
  virtual const Report& report() const = 0;
};

// The zero-copy way: a database in WAL mode, read below SQLite's pager while a read transaction holds it. Null where
// that does not apply (rollback journal, or a wal-index that is not ours to write). connection is without a
// transaction. `keep` is released with the image's hold on the database. Throws SourceError: busy after the deadline.
std::unique_ptr<PageImage> open_wal_image(std::unique_ptr<Connection>& connection, std::shared_ptr<void> keep,
                                          Deadline deadline);

// Copies the database inside a held transaction into a private directory below staging_parent, and lets go of it before
// it returns. In rollback mode the file as it is, in large pieces through SQLite's own handle: the transaction keeps
// writers out of it. Else with SQLite's online backup, in one step, so it works wherever SQLite can read.
std::unique_ptr<PageImage> copy_by_backup(std::unique_ptr<Connection> connection, const fs::path& staging_parent);

// Copies the files of a database that nobody has open (with -wal and -journal) below a lock, opens the copy, which
// rolls back or recovers, and gives that. No connection of this process may be open on it. Null where a file changed
// meanwhile or just before, or a -shm appeared: somebody may have it open after all, and it must be seen anew how to
// read it. Throws SourceError: busy where a lock stands in the way until the deadline, or the files changed and it has
// passed.
std::unique_ptr<PageImage> copy_resting_files(const fs::path& database, const fs::path& staging_parent,
                                              Deadline deadline);

}  // namespace cairn::sqlite
