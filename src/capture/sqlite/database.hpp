// SQLite databases as a source: one file whose content is one committed state, whatever writers do meanwhile.
#pragma once

#include "capture/metadata.hpp"
#include "capture/source.hpp"
#include "capture/source_path.hpp"
#include "capture/sqlite/image.hpp"
#include "capture/sqlite/readers.hpp"
#include "util/file.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// Whether the file begins as a SQLite database that is not encrypted. Throws SourceError.
bool is_sqlite_database_file(const fs::path& file);

// An image as content: fixed chunks of the page size (at least 4096). The live database is let go when the last page is
// read. facts(): mode ("wal": read in place; "backup", "staged": through a copy), wal_pinned_ms or commits_blocked_ms,
// page_size, page_count, user_version, application_id, schema_version, encoding, freelist_count, sqlite_version (of
// the last writer), schema_sha256 (absent where the schema does not parse).
std::unique_ptr<Content> make_database_content(std::unique_ptr<sqlite::PageImage> image);

// One database file, opened as content. A 0-byte file is a database without pages. Thread-safe; the contents may be
// read in different threads, one thread each.
//
// open() throws what Readers::open() does. It sets everything of the entry but its path. The first time a locked
// database leaves time for another.
class SqliteOpener : public ContentOpener {
 public:
  // The name in the directory (O_PATH is enough); shown: its path, for messages.
  SqliteOpener(std::shared_ptr<sqlite::Readers> readers, UniqueFd directory, std::string name, std::string shown);
  // By a path, with children of its own.
  SqliteOpener(const fs::path& database, const SqliteOptions& options);
  std::unique_ptr<Content> open(Entry& entry) override;
  // A -wal or -journal beside it holds state that the file's own times do not show.
  bool always_read() const override;
  // Of the content that was opened last; the construction before that.
  Time cut_point() const;
  // Bytes that it and its log take.
  std::uint64_t estimate() const;
  // From now on no time for locks is left for later.
  void last_round() noexcept { m_round = sqlite::Readers::Round::last; }

 private:
  SqliteOpener(std::shared_ptr<sqlite::Readers> readers, SourcePath place);
  std::uint64_t size_of(const char* suffix) const noexcept;

  const std::shared_ptr<sqlite::Readers> m_readers;
  const UniqueFd m_directory;
  const std::string m_name;
  const std::string m_shown;
  std::atomic<sqlite::Readers::Round> m_round = sqlite::Readers::Round::first;
  OwnerNames m_names;
  mutable std::mutex m_mutex;
  Time m_cut_point;
};

// A configured database, or a path that is one: a snapshot with this one file.
class SqliteSource : public Source {
 public:
  // Follows symbolic links (source_path.hpp). Throws SourceError where there is no regular file.
  SqliteSource(const fs::path& database, const SqliteOptions& options);

  SourceKind kind() const override { return SourceKind::sqlite; }
  SourceShape shape() const override { return SourceShape::file; }
  SourceAccess access() const override { return SourceAccess::reopenable; }
  std::string location() const override { return m_path.native(); }
  std::uint64_t estimate() override { return m_opener->estimate(); }
  std::optional<SourceItem> next() override;
  const std::vector<SourceProblem>& problems() const override { return m_problems; }
  SourceEnd finish() override { return {m_opener->cut_point()}; }

 private:
  fs::path m_path;     // absolute, no symbolic link in it
  std::string m_name;  // as the user called it
  std::shared_ptr<SqliteOpener> m_opener;
  bool m_done = false;
  std::vector<SourceProblem> m_problems;
};

}  // namespace cairn
