// Moves what is staged into place: everything durable first, every refusal before the first move.
#pragma once

#include "capture/sqlite/live_database.hpp"
#include "engine/restore/mended_directories.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/restore_target.hpp"
#include "engine/restore/skipped_tally.hpp"
#include "engine/restore/staged_tree.hpp"
#include "engine/restore/staging.hpp"
#include "util/file.hpp"
#include "util/log.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace cairn {

// A publisher works with these. All of them outlive it.
struct PublishParts {
  const RestoreTarget& target;
  Staging& staging;
  SkippedTally& tally;
  Reporter& reporter;
  MendedDirectories& mended;  // the target itself may be among them already
  // Where the record of a long move waits; empty: the directory for temporary files.
  fs::path spool = {};
  std::string keep_as = {};  // the name, beside the target, of what it replaces; empty: nothing is kept
  // In place: what stays, and what goes. Else not needed.
  PreparedRestore* plan = nullptr;
  // Of what stays according to the plan, what was made anew all the same.
  std::set<std::string> remade = {};
  Digest snapshot = {};  // that is restored
  // Of a target that is one file, in place: the old one is left in staging, which stays.
  bool leave_replaced = false;
  // Of a live database: what became of it. Else not needed.
  sqlite::LiveWritten* live = nullptr;
};

// A way of moving. publish() does, in this order: look once more for what RestoreTarget refuses, so that a refusal
// still changes nothing; put the metadata on what is staged; make it durable (syncfs(2), begun while entries still
// came, no fsync a file); move it; tell what was skipped. Everything is durable when it returns. If the system fails in
// the middle of moving, what was moved is put back, and the message says in which state the target is. Throws Error.
// One thread, once.
//
// Whoever may change names beside the target or in it may make a restore by root fail, and no more: everything is moved
// and changed below open directories, and where a name leads to something else than it did, Error(failed).
class Publisher {
 public:
  virtual ~Publisher() = default;
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  void publish(StagedTree tree);

 protected:
  explicit Publisher(const PublishParts& parts);

  const RestoreTarget& target() const noexcept { return m_parts.target; }
  Staging& staging() const noexcept { return m_parts.staging; }
  Reporter& reporter() const noexcept { return m_parts.reporter; }
  const std::string& keep_as() const noexcept { return m_parts.keep_as; }
  MendedDirectories& mended() const noexcept { return m_parts.mended; }
  const fs::path& spool() const noexcept { return m_parts.spool; }
  SkippedTally& tally() const noexcept { return m_parts.tally; }
  bool leaves_replaced() const noexcept { return m_parts.leave_replaced; }
  const Digest& snapshot() const noexcept { return m_parts.snapshot; }
  PreparedRestore* plan() const noexcept { return m_parts.plan; }
  sqlite::LiveWritten* live_result() const noexcept { return m_parts.live; }
  bool is_remade(const std::string& path) const { return m_parts.remade.contains(path); }
  // The tree as it was given, deepest directories first.
  const StagedTree& tree() const noexcept { return m_tree; }
  // To note which ones they are.
  std::vector<StagedDirectory>& directories() noexcept { return m_tree.directories; }
  std::string shown(const std::string& entry_path) const { return (target().path() / entry_path).native(); }
  // The same of a directory, which may be the target itself.
  std::string text_of(const std::string& path) const { return path == "." ? target().path().native() : shown(path); }
  // The snapshot's description of a directory; null where it has none.
  const StagedDirectory* described(const std::string& path) const;

  // Puts the metadata on a directory that is in place.
  void put_metadata(int fd, const StagedDirectory& directory, const std::string& shown) const;
  // Of a directory that had to stay this user's, and open to him, so that it could be moved with what it holds: gives
  // it its own mode, and owner, now that it is in place below root, if it is still the one that was staged.
  void close_moved(int root, const StagedDirectory& directory) const;

 private:
  // Throws what is in the way.
  virtual void look() = 0;
  // Whether the target has the directory already: it is not moved, and its own metadata is put on at the end.
  virtual bool has_directory(const std::string& path) const = 0;
  virtual void sync() = 0;
  virtual void move() = 0;
  void finish_directories();

  PublishParts m_parts;
  StagedTree m_tree;
  // Modes do not bind this process.
  bool m_privileged;
  // They do, and yet it may give what it owns to others: directories only when they are in place.
  bool m_gives_away_last;
};

// The snapshot is one file: it takes its name, and that of what is there, by one call (replace_file()).
std::unique_ptr<Publisher> make_file_publisher(const PublishParts& parts);
// Nothing is at the target: staging becomes it by one rename.
std::unique_ptr<Publisher> make_new_tree_publisher(const PublishParts& parts);
// The target is a directory: name by name, files replaced, directories merged, what the snapshot does not have left
// alone. Each file by replace_file(), as by the file publisher.
std::unique_ptr<Publisher> make_merge_publisher(const PublishParts& parts);
// The target becomes equal to the snapshot: as the merge publisher, and what is of another type gives way, links are
// made to what stays, metadata is put on it, and what the plan removes is removed, last. Each name is old or new at any
// time, but for one whose type changes.
std::unique_ptr<Publisher> make_in_place_publisher(const PublishParts& parts);

// The target is a directory that gives way as a whole (RestoreTarget::swapped()): staging and it exchange their names
// by one renameat2(2), and then the old one is removed, or renamed to keep_as. Until then it is as it was. Throws what
// require_unused_tree() throws, right before the exchange, too.
std::unique_ptr<Publisher> make_swap_publisher(const PublishParts& parts);

// The target is a database that others may have open (RestoreTarget::live()): what is staged goes into it as one
// transaction of SQLite's. Throws what look_at_live(), check_fits() and sqlite::write_live_database() throw.
std::unique_ptr<Publisher> make_live_publisher(const PublishParts& parts);

// The one that fits the target.
std::unique_ptr<Publisher> make_publisher(const PublishParts& parts);

}  // namespace cairn
