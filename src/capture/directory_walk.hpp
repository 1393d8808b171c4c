// The names below a directory, in the order of a snapshot's entries. Knows nothing of contents.
#pragma once

#include "capture/exclude.hpp"
#include "util/file.hpp"
#include "util/file_id.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

namespace cairn {

struct WalkOptions {
  PatternList exclude;
  // Where not empty: only what matches, what lies below a directory that matches, and the directories on the way.
  // An exclude pattern that matches wins.
  PatternList include;
  // yes: a directory on another file system is an entry, but what it holds is not.
  enum class OneFileSystem { no, yes };
  OneFileSystem one_file_system = OneFileSystem::no;
  // yes: of a directory that holds a valid CACHEDIR.TAG (Cache Directory Tagging Specification 0.6) only the tag.
  enum class ExcludeCaches { no, yes };
  ExcludeCaches exclude_caches = ExcludeCaches::no;
  // Directories that are left out wherever they are met below the root, through a bind mount too.
  std::vector<FileId> omit = {};
};

// Depth first, the names of a directory sorted bytewise: compare_paths order, the root (".") first. Goes by directory
// descriptors and follows no symbolic link. In memory: the names of one directory for each level of depth; open: at
// most k_open_levels descriptors. Used by one thread.
//
// A name that vanishes between reading its directory and looking at it is left out without a word: it was gone before
// it could be captured, exactly as if the walk had begun a moment later.
class DirectoryWalk {
 public:
  static constexpr std::size_t k_open_levels = 32;

  // Called with an entry path and a message for what cannot be read; the walk goes on.
  using Problem = std::function<void(const std::string& path, const std::string& message)>;

  struct WalkedName {
    std::string path;    // as in an entry
    std::string name;    // the last component; "." for the root
    int directory = -1;  // descriptor of the directory that holds name; -1 where self is given
    int self = -1;       // of a directory that could be opened: its own descriptor
    struct stat status {};
  };

  // root: an open directory, which must outlive the walk, as must options. location: its path, for messages.
  DirectoryWalk(int root, std::string location, const WalkOptions& options, Problem problem);

  // Descriptors in the result are valid until the next call. Throws Error(interrupted) between names.
  std::optional<WalkedName> next();

  // Whether the directory holds this name that holds what next() returned last, if that was no directory.
  bool has_sibling(const std::string& name) const;

 private:
  struct Level {
    UniqueFd fd;  // empty where it was closed to bound their number
    std::string path;
    std::vector<std::string> names;
    std::size_t next = 0;
    struct stat status {};
    bool included = true;  // it or a directory above matches an include pattern
    bool reported = true;  // next() has returned it
  };
  enum class Entered { yes, failed, vanished, replaced };

  std::optional<WalkedName> examine(const std::string& name);
  Entered enter(const std::string& path, const std::string& name, bool included);
  void read_names(Level& level);
  void leave();
  UniqueFd reopen(const Level& level) const;
  static UniqueFd same_directory(UniqueFd fd, const Level& level);
  std::optional<WalkedName> release();
  bool is_excluded(const std::string& path, PatternList::Kind kind) const;
  bool is_omitted(const struct stat& status) const;
  void report(const std::string& path, std::string_view verb, int error_number) const;

  int m_root;
  dev_t m_root_device = 0;
  std::string m_location;
  const WalkOptions& m_options;
  Problem m_problem;
  std::vector<Level> m_levels;
  std::optional<WalkedName> m_held;  // waits until the directories above it are returned
  UniqueFd m_lent;                   // what the last result refers to, where its level's own descriptor was closed
  bool m_started = false;
};

// The path of an entry below location, for messages and where a path must do.
std::string path_below(const std::string& location, const std::string& entry_path);

}  // namespace cairn
