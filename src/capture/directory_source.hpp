// A directory, or one file, as a source: every kind of entry with all its metadata.
#pragma once

#include "capture/directory_walk.hpp"
#include "capture/file_content.hpp"
#include "capture/source.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct DirectoryOptions {
  // A directory, or a file of any kind but a device. A symbolic link is followed.
  fs::path path;
  std::vector<std::string> exclude;  // gitignore syntax (capture/exclude.hpp)
  std::vector<std::string> include;  // where not empty: only these (capture/directory_walk.hpp)
  WalkOptions::OneFileSystem one_file_system = WalkOptions::OneFileSystem::no;
  WalkOptions::ExcludeCaches exclude_caches = WalkOptions::ExcludeCaches::no;
  // yes: unchanged files are read, too.
  enum class Reread { no, yes };
  Reread reread = Reread::no;
  SqliteOptions sqlite = {};      // for the databases found inside
  std::vector<FileId> omit = {};  // see WalkOptions
};

// Entries of a directory are relative to it, "." first. Of one file there is one entry, whose path is its last
// component.
//
// The second and later names of one file (hard links, of any type but a directory) are entries of type hard_link
// whose link_target is the first name in path order. If the reader drops that first entry (it could not be opened), or
// finds another file there than the walk did (the inode of its entry changes as it is opened), those that link to it
// must not: as_file opens them as files of their own, and where there is none they are dropped and reported, too.
//
// SQLite: a database is captured as one (see file_content.hpp); its -wal, -shm and -journal are no entries, because
// they belong to an instant other than the image's. A file with a -wal or a hot -journal beside it that is no
// SQLite database (an encrypted one, most likely) is stored with it as they are, and reported as a problem.
class DirectorySource : public Source {
 public:
  // Opens the path. Throws SourceError(failed) where that is not possible.
  explicit DirectorySource(const DirectoryOptions& options);

  SourceKind kind() const override { return SourceKind::directory; }
  SourceShape shape() const override { return m_walk ? SourceShape::tree : SourceShape::file; }
  SourceAccess access() const override { return SourceAccess::reopenable; }
  // The real path.
  std::string location() const override { return m_location; }
  // A walk of its own that sums sizes (for sparse files, of what they take on disk); about 2 us a file when the
  // kernel has the inodes in memory, and it brings them there for the capture.
  std::uint64_t estimate() override;
  std::optional<SourceItem> next() override;
  const std::vector<SourceProblem>& problems() const override { return m_problems; }
  // The cut point is the construction.
  SourceEnd finish() override { return {m_cut_point}; }

 private:
  struct FileKey {
    dev_t device;
    ino_t inode;
    auto operator<=>(const FileKey&) const = default;
  };
  struct FirstName {
    std::string path;
    nlink_t names_left;
  };

  std::optional<SourceItem> next_single();
  std::optional<SourceItem> make_item(const DirectoryWalk::WalkedName& found, bool has_wal);
  bool link_to_first_name(Entry& entry, const struct stat& status);
  bool note_database(const DirectoryWalk::WalkedName& found);
  bool belongs_to_database(const DirectoryWalk::WalkedName& found) const;
  void report(const std::string& path, const std::string& message);

  std::string m_location;
  std::shared_ptr<SourceTree> m_tree;
  WalkOptions m_walk_options;
  DirectoryOptions::Reread m_reread;
  Time m_cut_point;
  std::optional<DirectoryWalk> m_walk;         // empty for a single file
  std::optional<std::string> m_single;         // its name, until it was handed out
  std::map<FileKey, FirstName> m_first_names;  // of files with several names, until all of them were seen
  // Files that have one of SQLite's companions beside them: whether they are databases.
  std::map<std::string, bool> m_accompanied;
  std::vector<SourceProblem> m_problems;
};

}  // namespace cairn
