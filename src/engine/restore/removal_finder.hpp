// The names that the target has and the snapshot does not.
#pragma once

#include "engine/restore/path_selection.hpp"
#include "engine/restore/restore_steps.hpp"
#include "engine/restore/restore_target.hpp"
#include "util/file_id.hpp"
#include "util/open_directories.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace cairn {

// Finds the names that the snapshot does not have, within what was asked for. Walks the target beside the entry list,
// by descriptors, never through a symbolic link; what earlier runs left in the target is no part of it. Memory grows
// with the depth of the tree and the names of the directories on the way. One thread.
class RemovalFinder {
 public:
  using Found = std::function<void(const PlannedRemoval&)>;

  // A tree that exists. own: directories that the restore itself needs. Everything but them outlives it.
  RemovalFinder(const RestoreTarget& target, const PathSelection& selection, std::set<FileId> own, Found found);

  // The next entry of the list, every one of them, in its order. Throws Error(failed) where a directory cannot be read
  // or something in the way of a removal is mounted, Error(usage) where something excluded is in the way of an entry,
  // or something would go from a directory that the restore itself needs, Error(busy) where a database that would go is
  // open.
  void pass(const std::string& path, bool is_directory);
  // After the last one.
  void finish();

 private:
  struct Level {
    std::string path;  // of the directory; "." for the root
    std::vector<std::string> names;
    std::size_t next = 0;
    bool stays = false;  // below what goes: something in it does not
  };
  using Directory = std::shared_ptr<const UniqueFd>;
  // Not one descriptor a level: a tree may be deeper than a process may open files.
  Directory open(const std::string& path);
  Level level_of(const std::string& path, const Directory& directory) const;
  void pass_before(const std::string* path);
  void take_extra(int parent, const std::string& name, const std::string& path);
  bool is_chosen(const std::string& path, const struct stat& status) const;
  bool remove_below(const std::string& path, bool in_the_way);
  void report(int parent, const std::string& name, const std::string& path, const struct stat& status, bool in_the_way);

  const RestoreTarget& m_target;
  const PathSelection& m_selection;
  std::set<FileId> m_own;
  Found m_found;
  OpenDirectories m_open;
  SeenThere m_root;
  std::vector<Level> m_levels;
};

}  // namespace cairn
