// Makes the entries of a snapshot in staging.
#pragma once

#include "engine/restore/local_source.hpp"
#include "engine/restore/restore_target.hpp"
#include "engine/restore/skipped_tally.hpp"
#include "engine/restore/staged_tree.hpp"
#include "engine/restore/staging.hpp"
#include "repo/entry.hpp"
#include "util/bytes.hpp"
#include "util/early_sync.hpp"
#include "util/file.hpp"
#include "util/open_directories.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cairn {

// Use: construct, add() or begin_file() .. finish_file() for every entry, finish(). Nothing at the target is touched.
// All calls but finish() may come from any thread at once.
//
// Entries may come in any order (directories that have none yet are made), but a path that is not valid, comes twice,
// or lies below something that is no directory throws Error(damaged). An entry that RestoreTarget::check_entry()
// refuses throws what that throws. Failing system calls throw Error(failed).
//
// Metadata: owner (by number), xattrs and ACLs, mode and times are set by descriptor, in this order; those of
// directories are the publisher's to set. What this user may not set, or the file system cannot take, is left out and
// noted in the tally: ownership (set-id bits of a file that could not be given away are dropped, too), xattrs, modes,
// times, device files and hard links to them. So are entries that the file system cannot have: names that are too long,
// hold what it does not allow or are another entry's to it, files that are too large, symbolic links and FIFOs; and all
// below such a directory. Where it makes no hard links, there are copies.
class TreeWriter {
 public:
  // All of them outlive it.
  TreeWriter(const RestoreTarget& target, Staging& staging, SkippedTally& tally);

  // A regular file being written. It has its full size from the beginning and is one hole: what is not written reads
  // as zeros and takes no space.
  class File {
   public:
    // Any thread, ranges in any order; within the entry's size (beyond: Error(damaged)).
    void write_at(std::uint64_t offset, ByteView bytes);
    // The bytes of a local file from there on. Nothing is done where the file began as that one, and has them already.
    // digest: what they are held against, if at all. Throws LocalChanged, too.
    void copy_at(std::uint64_t offset, std::uint64_t length, LocalSource& from, std::uint64_t from_offset,
                 const std::optional<Digest>& digest = std::nullopt);
    // Where the file began as a local one, which may have had something there.
    void make_hole_at(std::uint64_t offset, std::uint64_t length);

   private:
    friend class TreeWriter;
    void require_room(std::uint64_t offset, std::uint64_t length) const;
    File(Entry entry, UniqueFd fd, std::string shown, EarlySync* sync)
        : m_entry(std::move(entry)), m_fd(std::move(fd)), m_shown(std::move(shown)), m_sync(sync) {}
    Entry m_entry;
    UniqueFd m_fd;
    std::string m_shown;
    EarlySync* m_sync;                    // told what is written; nothing: nobody is
    const LocalSource* m_base = nullptr;  // what it began as
  };
  // Holds one descriptor until it is finished or dropped. base: what it begins as, where that can be had without
  // copying it: what an earlier run left is moved here if it is ours alone, of any other the blocks are shared. It
  // outlives the file. Throws LocalChanged where it is not what it was.
  std::unique_ptr<File> begin_file(const Entry& entry, LocalSource* base = nullptr);
  // Sets the metadata and closes. A file that was begun and not finished makes publish() fail.
  void finish_file(std::unique_ptr<File> file);

  // Something that is at the target already, and stays.
  void note_staying() noexcept { ++m_entries; }

  // Removes what was written of a file that turned out damaged: it will not be at the target.
  void drop_file(std::unique_ptr<File> file);

  // A finished file that begins like a SQLite database.
  struct Database {
    std::string path;
    std::uint64_t size = 0;
  };
  // Those finished since the last call, by path.
  std::vector<Database> take_databases();
  // Whether a log or a journal with something in it was written beside a finished file.
  bool has_log(const std::string& path);
  // A finished file, for reading, whatever its mode (empty where this user may not read what he has given away); and
  // removed: it will not be at the target.
  UniqueFd open_finished(const std::string& path);
  void remove_finished(const std::string& path);

  // Any entry but a regular file. A hard link's target must be an entry of this writer, too (sooner or later).
  void add(const Entry& entry, ExistingDirectory existing = ExistingDirectory::changed);
  // A directory that the target has, in which something may have to be made: nothing is staged for its own sake.
  void add_existing(const Entry& entry, ExistingDirectory existing);
  // A hard link whose target may be a file that stays at the target. After all files; then it is the publisher's to
  // make.
  void add_link(const Entry& entry);

  // After all entries, once: makes the links whose targets came after them. Throws Error(failed) where a file was begun
  // and not finished, Error(damaged) where a link leads to nothing, a directory was named twice, or the snapshot of one
  // file has not just one.
  StagedTree finish();

 private:
  struct Link {
    std::string path;
    std::string target;
  };
  // A name in an open staged directory.
  struct StagedName {
    std::shared_ptr<const UniqueFd> directory;
    std::string name;
    int parent() const noexcept { return directory->get(); }
  };

  std::unique_ptr<File> create_file(const Entry& entry, LocalSource* base);
  void make(const Entry& entry, ExistingDirectory existing);
  void leave_out(const Entry& entry, const std::string& reason);
  bool was_left_out(const std::string& path);
  void require_kept(int directory, const std::string& name, bool is_directory, const std::string& shown);
  void require_parents(const std::string& path);
  [[noreturn]] void refuse_taken(const Entry& entry, const StagedName& place) const;
  static Entry link_entry(const Link& link);
  bool settle_link(const Link& link);
  bool single() const noexcept { return m_target.shape() == RestoreTarget::Shape::single_file; }
  std::string staged(const std::string& entry_path) const;
  UniqueFd take_over(const StagedName& place, LocalSource& base);
  std::string shown(const std::string& entry_path) const { return (m_target.path() / entry_path).native(); }
  void admit(const Entry& entry);
  StagedName locate(const std::string& path);
  void make_parents(const std::string& path) const;
  void add_directory(const Entry& entry, ExistingDirectory existing);
  static bool drop_made_file(const StagedName& place);
  void add_special(const Entry& entry);
  bool make_link(const Link& link);
  void make_late_links();

  const RestoreTarget& m_target;
  Staging& m_staging;
  SkippedTally& m_tally;
  OpenDirectories m_open;  // below staging

  std::atomic<bool> m_any_left_out{false};
  std::atomic<bool> m_keeps_dots{false};  // at the end of a name
  std::atomic<bool> m_keeps_blanks{false};
  std::mutex m_mutex;  // guards the six below
  std::set<std::string> m_left_out;
  std::vector<StagedDirectory> m_directories;
  std::vector<Link> m_late_links;   // their targets had not been begun yet
  std::vector<StagedLink> m_links;  // to files that stay at the target
  std::vector<Database> m_databases;
  std::set<std::string> m_device_paths;  // that may not be made; links to them go with them

  std::atomic<std::int64_t> m_unfinished{0};
  std::atomic<std::uint64_t> m_entries{0};
};

}  // namespace cairn
