// Where a restore goes: everything that can be found out by looking, before anything there is touched.
#pragma once

#include "engine/restore/write_access.hpp"
#include "repo/entry.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace cairn {

// Which mount something lies on. Where the kernel gives mounts no number (before Linux 5.8) it goes by the file system,
// and what is mounted from the same one is not seen.
struct Mount {
  bool by_number = false;
  std::uint64_t number = 0;
  bool operator==(const Mount&) const = default;
};

// The file at a name of an open directory, or (name empty) the directory itself; a symbolic link is not followed.
// Nothing, and errno set, where it cannot be looked at.
struct SeenThere {
  mode_t mode = 0;
  Mount mount;
  dev_t device = 0;
  Protection protection = {};
};
std::optional<SeenThere> see(int directory, const std::string& name) noexcept;
// Throws Error(failed) where nothing can be moved to what is there from a directory: it is on another mount, or a
// directory in a subvolume of its own (btrfs), which is no mount and has another device. Of a file the device says
// nothing: an overlay gives its files those of its layers.
void require_within_reach(const SeenThere& there, const SeenThere& directory, const fs::path& shown);
// Throws Error(failed) where what is there in a directory, and is no directory itself, may not be replaced: it has the
// immutable or append-only attribute, or a sticky bit keeps it.
void require_replaceable(const SeenThere& there, const SeenThere& directory, const fs::path& shown);

// Throws Error(usage) where root would have an open directory of its own, which lies in one of another user's, become
// that of the owner given: whoever owns what is above may have given it the name that the snapshot has, and what it
// holds would become his.
void require_not_given_away(int directory, uid_t owner, const fs::path& shown);

// Looks only; writes nothing. The path is followed once, by the constructor (pin_path(): symbolic links too, as the
// user named them), and is a descriptor and names below it from then on; below it no link is ever followed. So whoever
// may rename things on the way does not make a restore leave the directory that was named. Thread-safe after
// construction.
class RestoreTarget {
 public:
  // tree: the target becomes the directory "." of the snapshot. single_file: the target becomes its one entry.
  enum class Shape { tree, single_file };
  // swap: of a tree, the target as a whole gives way to another directory (publish_swap.cpp), and the anchor is what it
  // lies in; else as yes. in_place: it becomes equal to the snapshot, and what is of another type gives way. finish:
  // the same, where a restore was ended when all was in place but for the metadata of directories. live: one file that
  // is a database, which others may have open: it is written, and not replaced (publish_live.cpp).
  enum class Overwrite { no, yes, swap, in_place, finish, live };

  // Throws Error(usage) where the target
  //   - is not empty (a directory with a name in it, or anything that is no directory), without Overwrite::yes,
  //   - is a directory, and the snapshot one file, or the other way round, or a device, even with it,
  //   - is not there, with Overwrite::live.
  // Error(failed) where a directory that is to be swapped is mounted there, or a subvolume.
  // A directory that has only staging of interrupted restores (k_staging_prefix) counts as empty. Throws as pin_path()
  // does.
  RestoreTarget(const fs::path& target, Shape shape, Overwrite overwrite);

  // The kind of thing that the target has where an entry goes. In place, something above it that is no directory is
  // nothing.
  enum class There { nothing, directory, other };
  // Throws Error(usage) where the entry is a directory and what the target has there is not, or the other way round, or
  // where something above it is no directory (none of them in place), and what require_not_given_away() throws;
  // Error(failed) where something is mounted there (another file system, or a directory or file of this one: "bind") or
  // a subvolume begins, as nothing can be moved there from staging, and what require_replaceable() throws (not in
  // place, where it may stay: PlannedAccess has it then); Error(busy) where a SQLite database would be replaced, or put
  // beside the log of one, that a process has open. Cheap where the target has nothing yet. Called for every entry by
  // the plan, and once more by TreeWriter.
  There check_entry(const Entry& entry) const;

  // Throws Error(failed) where the file system has less than this free. What is replaced stays until the end, so the
  // space that it takes cannot be counted on.
  void check_space(std::uint64_t bytes) const;
  // The same for so many inodes. A file system that has no number of them (0 in all) has no such limit.
  void check_inodes(std::uint64_t entries) const;

  const fs::path& path() const noexcept { return m_path; }  // absolute, links resolved
  // Of a single file: its name in directory().
  const std::string& name() const noexcept { return m_below.back(); }
  Shape shape() const noexcept { return m_shape; }
  // The tree or file there is to become equal to the snapshot.
  bool in_place() const noexcept { return m_in_place; }
  // Overwrite::finish
  bool finishes() const noexcept { return m_finish; }
  // Overwrite::live
  bool live() const noexcept { return m_live; }
  // Whether there is something already: a directory that the tree is merged into or swapped for, or a file that is
  // replaced.
  bool exists() const noexcept { return m_exists; }
  // Whether that has something in it that is not staging.
  bool has_content() const noexcept { return m_exists && (m_shape == Shape::single_file || !m_empty); }
  // The directory that a tree is swapped for, open for reading; -1 where nothing is swapped.
  int swapped() const noexcept { return m_swapped.get(); }
  // The existing directory that staging is made in, on the target's file system: the target itself if it is a
  // directory that is not swapped, else the nearest directory above it that exists. Open for reading.
  int anchor() const noexcept { return m_anchor.get(); }
  const fs::path& anchor_path() const noexcept { return m_anchor_path; }
  // The names that follow it on the way to the target, the target's own last; none where it is the target.
  const std::vector<std::string>& below_anchor() const noexcept { return m_below; }

  // The target itself where it is a directory, else the directory that a single file goes to; -1 where that does not
  // exist (yet), or is swapped.
  int directory() const noexcept { return m_below.size() <= most_below() ? m_anchor.get() : -1; }

  static constexpr const char* k_staging_prefix = ".cairn-restore-";
  // The directory that a swap replaced is beside the target under such a name until it is removed or renamed.
  static constexpr const char* k_replaced_prefix = ".cairn-replaced-";

 private:
  std::size_t most_below() const noexcept { return m_shape == Shape::single_file ? 1 : 0; }

  void swap_whole();

  fs::path m_path;
  Shape m_shape;
  bool m_in_place;
  bool m_finish;
  bool m_live;
  bool m_exists = false;
  bool m_empty = true;
  SeenThere m_root;  // directory()
  fs::path m_anchor_path;
  UniqueFd m_anchor;
  UniqueFd m_swapped;
  std::vector<std::string> m_below;
};

// The refusals that are found once more right before moving into place.
[[noreturn]] void throw_conflict(const fs::path& root, const std::string& path, bool target_is_directory);
// Throws Error(busy) if a process uses the database `name`, or what would become one next to its log.
void check_database(int directory, const std::string& name, const fs::path& shown);

}  // namespace cairn
