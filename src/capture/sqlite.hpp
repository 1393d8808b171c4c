// SQLite databases as a source: one file whose content is one committed state, whatever writers do meanwhile.
#pragma once

#include "capture/metadata.hpp"
#include "capture/source.hpp"
#include "capture/sqlite_slot.hpp"
#include "util/file.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct SqliteOptions {
  std::chrono::milliseconds busy_timeout{10'000};
  // Take the database although its locks may not be seen by everyone who writes it (network and FUSE file systems) or
  // its header is that of a fork of SQLite.
  bool assume_local = false;
  // Where copies are put, in a private directory, if the database cannot be read in its place; nothing: where temporary
  // files go.
  std::optional<fs::path> staging_parent;
};

// Whether the file begins as a SQLite database that is not encrypted. Opens and closes it, unless it is under capture
// (then it is one, and must not be opened). Throws SourceError.
bool is_sqlite_database_file(const fs::path& file);

// One database file, opened as content. A 0-byte file is a database without pages. Thread-safe; the contents may be
// read in different threads, one thread each. A second open of the same file waits for the first content to be read to
// its end or destroyed.
//
// open() throws SourceError: busy where locks stood in the way until the timeout, usage where assume_local is missing,
// failed for all else. It sets everything of the entry but its path.
// Content: fixed chunks of the page size (at least 4096). The live database is let go when the last page is read.
// facts(): mode ("wal": read in place; "backup", "staged": through a copy), wal_pinned_ms or commits_blocked_ms,
// page_size, page_count, user_version, application_id, schema_version, encoding, freelist_count, sqlite_version (of
// the last writer), schema_sha256 (absent where the schema does not parse).
class SqliteOpener : public ContentOpener {
 public:
  SqliteOpener(fs::path database, SqliteOptions options);
  std::unique_ptr<Content> open(Entry& entry) override;
  // A -wal or -journal beside it holds state that the file's own times do not show.
  bool always_read() const override;
  // Of the content that was opened last; the construction before that.
  Time cut_point() const;

 private:
  const fs::path m_database;
  const SqliteOptions m_options;
  OwnerNames m_names;
  mutable std::mutex m_mutex;
  Time m_cut_point;
};

// A configured database, or a path that is one: a snapshot with this one file.
class SqliteSource : public Source {
 public:
  // Follows symbolic links. Throws SourceError where there is no regular file.
  SqliteSource(const fs::path& database, SqliteOptions options);

  const char* kind() const override { return "sqlite"; }
  std::string location() const override { return m_path.native(); }
  std::uint64_t estimate() override;
  std::optional<SourceItem> next() override;
  const std::vector<SourceProblem>& problems() const override { return m_problems; }
  Time cut_point() const override { return m_opener->cut_point(); }

 private:
  fs::path m_path;     // absolute, no symbolic link in it
  std::string m_name;  // as the user called it
  std::shared_ptr<SqliteOpener> m_opener;
  bool m_done = false;
  std::vector<SourceProblem> m_problems;
};

}  // namespace cairn
