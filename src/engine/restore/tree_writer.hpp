// Puts a tree at a target: everything beside it first, then into place.
#pragma once

#include "engine/restore/apply_metadata.hpp"
#include "engine/restore/restore_target.hpp"
#include "repo/entry.hpp"
#include "util/bytes.hpp"
#include "util/early_sync.hpp"
#include "util/file.hpp"
#include "util/log.hpp"
#include "util/open_directories.hpp"
#include "util/own_directory.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cairn {

// Use: construct, add() or begin_file() .. finish_file() for every entry, publish(). Nothing at the target is touched
// before publish(); a writer that is destroyed without it removes what it wrote. All calls but publish() may come from
// any thread at once.
//
// Staging is a directory (k_staging_prefix and random digits, make_private(), flock(2) held) in the target if that is a
// directory already, else beside it. Stale ones of restores that were killed are removed by the constructor.
//
// Whoever may change names beside the target (its owner, for one) may make a restore by root fail, and no more:
// everything is made, moved, changed and removed below open directories, of which each was looked at after it was made.
// Where a name leads to something else than it did, Error(failed).
//
// Entries may come in any order (directories that have none yet are made), but a path that is not valid, comes twice,
// or lies below something that is no directory throws Error(damaged). An entry that RestoreTarget::check_entry()
// refuses throws what that throws. Failing system calls throw Error(failed).
//
// Metadata: owner (by number), xattrs and ACLs, mode and times are set by descriptor, in this order, directories' at
// the end. What this user may not set is left out, counted, and said in one warning each by publish(): ownership
// (set-id bits of a file that could not be given away are dropped, too), xattrs, device files and hard links to them.
class TreeWriter {
 public:
  TreeWriter(RestoreTarget target, Reporter& reporter);
  TreeWriter(const TreeWriter&) = delete;
  TreeWriter& operator=(const TreeWriter&) = delete;
  ~TreeWriter();

  // A regular file being written. It has its full size from the beginning and is one hole: what is not written reads
  // as zeros and takes no space.
  class File {
   public:
    // Any thread, ranges in any order; within the entry's size (beyond: Error(damaged)).
    void write_at(std::uint64_t offset, ByteView bytes);

   private:
    friend class TreeWriter;
    File(Entry entry, UniqueFd fd, std::string shown, EarlySync* sync)
        : m_entry(std::move(entry)), m_fd(std::move(fd)), m_shown(std::move(shown)), m_sync(sync) {}
    Entry m_entry;
    UniqueFd m_fd;
    std::string m_shown;
    EarlySync* m_sync;  // told what is written; nothing: nobody is
  };
  // Holds one descriptor until it is finished or dropped.
  std::unique_ptr<File> begin_file(const Entry& entry);
  // Sets the metadata and closes. A file that was begun and not finished makes publish() fail.
  void finish_file(std::unique_ptr<File> file);

  // Removes what was written of a file that turned out damaged: it will not be at the target.
  void drop_file(std::unique_ptr<File> file);

  // What becomes of the metadata of a directory that the target has already.
  enum class Existing { changed, kept };
  // Any entry but a regular file. A hard link's target must be an entry of this writer, too (sooner or later).
  void add(const Entry& entry, Existing existing = Existing::changed);

  // Makes everything durable (by syncfs(2), begun while entries still come, no fsync a file), then moves it into place:
  // one rename where the target did not exist; else name by name, files replaced, directories merged, what the snapshot
  // does not have left alone. First it looks once more for what RestoreTarget refuses, so that a refusal still changes
  // nothing. -wal, -shm and -journal beside a restored SQLite database are renamed to NAME.cairn-aside-RANDOM, and back
  // where the database then cannot be replaced.
  // Everything is durable when it returns. If the system fails in the middle of moving, the message says so.
  void publish();

  // Entries and attributes left out for want of privilege or of support by the file system; after publish().
  std::uint64_t skipped() const noexcept { return m_skipped_xattrs + m_skipped_owners + m_skipped_devices; }
  // Of these the devices, with the links to them: they are not in place.
  std::uint64_t skipped_devices() const noexcept { return m_skipped_devices; }

 private:
  // In staging, the one entry of a single-file restore.
  static constexpr const char* k_single_name = "content";

  // What is left to do for a directory once everything in it has been made.
  struct Directory {
    std::string path;
    std::uint32_t mode;
    std::uint32_t uid;
    std::uint32_t gid;
    Time mtime;
    std::vector<Xattr> xattrs;
    Existing existing;
    FileId id = {};  // once it has its metadata in staging
  };
  struct Link {
    std::string path;
    std::string target;
  };
  // What lay beside a database and was renamed.
  struct Aside {
    std::string log;
    std::string name;
  };
  // A name in an open staged directory.
  struct Place {
    std::shared_ptr<const UniqueFd> directory;
    std::string name;
    int parent() const noexcept { return directory->get(); }
  };

  // tree_writer.cpp: making entries
  void make_staging();
  void check_staging();
  mode_t learn_default_mode() const;
  void remove_stale() const;
  std::string staged(const std::string& entry_path) const;
  std::string shown(const std::string& entry_path) const { return (m_target.path() / entry_path).native(); }
  void admit(const Entry& entry);
  Place locate(const std::string& path);
  void make_parents(const std::string& path) const;
  void add_directory(const Entry& entry, Existing existing);
  void add_special(const Entry& entry);
  bool make_link(const Link& link);
  void note(const SkippedMetadata& skipped);

  // tree_publish.cpp: moving into place
  bool merging() const noexcept { return m_target.shape() == RestoreTarget::Shape::tree && m_target.exists(); }
  void make_late_links();
  void look();
  void look_at(const std::string& path, std::vector<std::string>& todo);
  const Directory* described(const std::string& path) const;
  UniqueFd open_merged(const std::string& path) const;
  void finish_directories();
  void sync_staged();
  UniqueFd make_target_parent() const;
  void move_single_file();
  void move_new_tree();
  void merge_tree();
  void merge_directory(const std::string& path, std::vector<std::string>& todo);
  std::vector<Aside> set_aside_logs(int directory, const std::string& name, int staged_directory) const;
  void put_back(int directory, const std::vector<Aside>& logs) const;
  void tell_of(const std::vector<Aside>& logs) const;
  void settle_directories();
  void settle_root(int root);
  void warn_of_skipped() const;
  void remove_staging() noexcept;

  RestoreTarget m_target;
  Reporter& m_reporter;
  std::string m_staging_name;  // in the target's anchor
  fs::path m_staging_path;     // for messages
  UniqueFd m_staging;
  std::optional<EarlySync> m_sync;        // of staging, of a tree
  std::optional<OpenDirectories> m_open;  // below staging
  std::uint32_t m_default_mode = 0755;    // of a directory that no entry describes
  bool m_privileged;
  bool m_published = false;

  std::mutex m_mutex;  // guards the four below
  std::vector<Directory> m_directories;
  std::vector<Link> m_late_links;        // their targets had not been begun yet
  std::set<std::string> m_device_paths;  // that may not be made; links to them go with them
  std::string m_first_skipped_xattr;

  std::map<std::string, FileId> m_merged;  // directories that the target has already
  std::atomic<std::int64_t> m_unfinished{0};
  std::atomic<std::uint64_t> m_entries{0};
  std::atomic<std::uint64_t> m_skipped_xattrs{0};
  std::atomic<std::uint64_t> m_skipped_owners{0};
  std::atomic<std::uint64_t> m_skipped_devices{0};
};

}  // namespace cairn
