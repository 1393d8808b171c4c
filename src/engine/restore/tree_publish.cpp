// The second half of TreeWriter: from staging to the target.
#include "engine/restore/database_in_use.hpp"
#include "engine/restore/tree_writer.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::size_t k_name_max = 255;

struct stat status_of(int directory, const std::string& name, bool& there) {
  struct stat status {};
  there = ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  return status;
}

bool exists(int directory, const std::string& name) {
  bool there = false;
  status_of(directory, name, there);
  return there;
}

UniqueFd open_directory(int root, const std::string& path, const std::string& shown) {
  UniqueFd fd = open_beneath(root, path, O_RDONLY | O_DIRECTORY);
  if (!fd) throw_errno("open directory", shown, errno);
  return fd;
}

std::vector<std::string> names_in(int directory, const std::string& shown) {
  std::vector<std::string> names;
  if (const int error = read_directory(directory, names)) throw_errno("read directory", shown, error);
  return names;
}

std::string join(const std::string& directory, const std::string& name) {
  return directory == "." ? name : directory + "/" + name;
}

// EINVAL: a file system that cannot fsync directories.
void sync_names(int directory, const fs::path& shown) {
  if (::fsync(directory) != 0 && errno != EINVAL) throw_errno("fsync", shown.native(), errno);
}

[[noreturn]] void throw_appeared(const fs::path& target) {
  throw Error(ErrorKind::usage,
              fmt::format("unable to restore to {}: it came into being meanwhile", quote(target.native())));
}

[[noreturn]] void throw_replaced(const std::string& path) {
  throw Error(ErrorKind::failed,
              fmt::format("unable to restore to {}: something else took its place meanwhile", quote(path)));
}

}  // namespace

void TreeWriter::publish() {
  if (m_unfinished != 0) {
    throw Error(ErrorKind::failed, fmt::format("unable to restore to {}: {} files are not finished",
                                               quote(m_target.path().native()), m_unfinished.load()));
  }
  const bool single = m_target.shape() == RestoreTarget::Shape::single_file;
  if (single && m_entries != 1) {
    throw Error(ErrorKind::damaged,
                fmt::format("unable to restore to {}: the snapshot is said to be one file, and has {}",
                            quote(m_target.path().native()), m_entries.load()));
  }
  make_late_links();
  // Deepest first; the same path twice comes out side by side.
  std::sort(m_directories.begin(), m_directories.end(),
            [](const Directory& a, const Directory& b) { return compare_paths(a.path, b.path) > 0; });
  const auto twice = std::adjacent_find(m_directories.begin(), m_directories.end(),
                                        [](const Directory& a, const Directory& b) { return a.path == b.path; });
  if (twice != m_directories.end()) {
    throw Error(ErrorKind::damaged,
                fmt::format("unable to restore {}: the snapshot names it twice", quote(twice->path)));
  }
  look();
  finish_directories();
  sync_staged();
  check_interrupted();
  if (single) {
    move_single_file();
  } else if (merging()) {
    merge_tree();
  } else {
    move_new_tree();
  }
  warn_of_skipped();
}

void TreeWriter::make_late_links() {
  const auto goes_with_device = [&](const Link& link) {
    if (!m_device_paths.contains(link.target)) return false;
    ++m_skipped_devices;
    m_device_paths.insert(link.path);
    return true;
  };
  // A link may name a link that is late itself, so they are tried until a round makes none.
  std::vector<Link> left = std::move(m_late_links);
  while (!left.empty()) {
    const std::size_t before = left.size();
    left.erase(std::remove_if(left.begin(), left.end(),
                              [&](const Link& link) { return goes_with_device(link) || make_link(link); }),
               left.end());
    if (left.size() == before) {
      throw Error(ErrorKind::damaged, fmt::format("unable to restore {}: it is a link to {}, which is not there",
                                                  quote(left.front().path), quote(left.front().target)));
    }
  }
}

// Finds what moving would run into, and which directories the target has already.
void TreeWriter::look() {
  if (m_target.shape() == RestoreTarget::Shape::single_file) {
    if (m_target.directory() < 0) return;
    const auto parent = see(m_target.directory(), "");
    const auto there = see(m_target.directory(), m_target.name());
    if (parent && there) require_within_reach(*there, *parent, m_target.path());
    check_database(m_target.directory(), m_target.name(), m_target.path());
    return;
  }
  if (!merging()) return;
  std::vector<std::string> todo{"."};
  while (!todo.empty()) {
    check_interrupted();
    const std::string path = std::move(todo.back());
    todo.pop_back();
    look_at(path, todo);
  }
}

void TreeWriter::look_at(const std::string& path, std::vector<std::string>& todo) {
  const UniqueFd from = open_directory(m_staging.get(), path, m_staging_path.native());
  const UniqueFd to = open_directory(m_target.directory(), path, shown(path));
  const auto root = see(m_target.directory(), "");
  const auto id = id_of(to.get());
  if (!root || !id) throw_errno("stat", m_target.path().native(), errno);
  // The target itself is open since it was looked at.
  const Directory* const snapshots = path == "." ? nullptr : described(path);
  if (snapshots != nullptr) require_not_given_away(to.get(), snapshots->uid, shown(path));
  m_merged.emplace(path, *id);
  for (const std::string& name : names_in(from.get(), m_staging_path.native())) {
    const std::string entry = join(path, name);
    bool staged = false;
    const bool directory = S_ISDIR(status_of(from.get(), name, staged).st_mode);
    const auto there = see(to.get(), name);
    if (there && directory != S_ISDIR(there->mode)) throw_conflict(m_target.path(), entry, S_ISDIR(there->mode));
    if (there) require_within_reach(*there, *root, shown(entry));
    if (!directory) {
      check_database(to.get(), name, shown(entry));
    } else if (there) {
      todo.push_back(entry);
    }
  }
}

// What the snapshot says of a directory; nothing where it does not. They are sorted by then.
const TreeWriter::Directory* TreeWriter::described(const std::string& path) const {
  const auto at =
      std::lower_bound(m_directories.begin(), m_directories.end(), path,
                       [](const Directory& a, const std::string& b) { return compare_paths(a.path, b) > 0; });
  return at != m_directories.end() && at->path == path ? &*at : nullptr;
}

// A directory that the target had when it was looked at. Another one that has its name by now is none of our business:
// it may be one that only this user may enter, and would become somebody else's.
UniqueFd TreeWriter::open_merged(const std::string& path) const {
  UniqueFd fd = open_directory(m_target.directory(), path, shown(path));
  if (id_of(fd.get()) != m_merged.at(path)) throw_replaced(shown(path));
  return fd;
}

// Puts the metadata on the staged directories, deepest first. The root's, and those of directories that the target has
// already, are put on at the end, because moving changes their times.
void TreeWriter::finish_directories() {
  for (Directory& directory : m_directories) {
    if (directory.path == "." || m_merged.contains(directory.path)) continue;
    const Place place = locate(directory.path);
    const UniqueFd fd = open_directory(place.parent(), place.name, shown(directory.path));
    // Whoever is not root must be able to move what it holds, and the directory itself.
    const std::uint32_t mode = m_privileged ? directory.mode : directory.mode | 0700U;
    note(apply_metadata(fd.get(), {mode, directory.uid, directory.gid, directory.mtime, directory.xattrs},
                        shown(directory.path)));
    directory.id = id_of(fd.get()).value_or(FileId{});
  }
}

void TreeWriter::sync_staged() {
  if (m_target.shape() == RestoreTarget::Shape::single_file) {
    // Only a regular file has anything to lose; opening another one may block or do something.
    bool there = false;
    const struct stat status = status_of(m_staging.get(), k_single_name, there);
    if (!there || !S_ISREG(status.st_mode)) return;
    const UniqueFd fd{::openat(m_staging.get(), k_single_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    // A mode without read permission for its owner, and not root: then the whole file system has to be synced.
    if (fd) return sync_file(fd.get(), m_target.path());
  }
  if (const int error = m_sync->finish(); error != 0) throw_errno("sync", m_staging_path.native(), error);
}

// The directory that the target gets its name in; what is missing on the way to it is made.
UniqueFd TreeWriter::make_target_parent() const {
  fs::path at = m_target.anchor_path();
  UniqueFd directory = open_directory(m_target.anchor(), ".", at);
  for (const std::string& name : m_target.below_anchor()) {
    if (&name == &m_target.below_anchor().back()) break;
    at /= name;
    directory = make_directory_at(directory.get(), name, 0777, at);
  }
  return directory;
}

void TreeWriter::move_single_file() {
  const UniqueFd directory = make_target_parent();
  const std::string& name = m_target.name();
  const std::vector<Aside> logs = set_aside_logs(directory.get(), name, m_staging.get());
  const int result = m_target.exists() ? ::renameat(m_staging.get(), k_single_name, directory.get(), name.c_str())
                                       : rename_new_at(m_staging.get(), k_single_name, directory.get(), name);
  if (result != 0) {
    const int error = errno;
    put_back(directory.get(), logs);
    if (error == EEXIST) throw_appeared(m_target.path());
    throw_errno("create", m_target.path().native(), error);
  }
  m_published = true;
  tell_of(logs);
  sync_names(directory.get(), m_target.path().parent_path());
  remove_staging();
}

void TreeWriter::move_new_tree() {
  const UniqueFd parent = make_target_parent();
  const std::string& name = m_target.name();
  if (rename_new_at(m_target.anchor(), m_staging_name, parent.get(), name) != 0) {
    if (errno == EEXIST || errno == ENOTEMPTY) throw_appeared(m_target.path());
    throw_errno("create directory", m_target.path().native(), errno);
  }
  // Staging may have lost its name to something else, which then is what was moved.
  if (id_at(parent.get(), name) != id_of(m_staging.get())) throw_replaced(m_target.path());
  m_published = true;
  settle_directories();
  settle_root(m_staging.get());
  sync_file(m_staging.get(), m_target.path());
  sync_names(parent.get(), m_target.path().parent_path());
}

void TreeWriter::merge_tree() {
  try {
    std::vector<std::string> todo{"."};
    while (!todo.empty()) {
      const std::string path = std::move(todo.back());
      todo.pop_back();
      merge_directory(path, todo);
    }
  } catch (const Error& e) {
    throw Error(e.kind(), e.message() + "; what was moved before is in place, the rest is as it was",
                e.hint().empty() ? "restore again with --overwrite" : e.hint());
  }
  m_published = true;
  // Staging first: it lies in the root, whose times come last.
  remove_staging();
  settle_directories();
  settle_root(m_target.directory());
  if (::syncfs(m_target.directory()) != 0) throw_errno("sync", m_target.path().native(), errno);
}

void TreeWriter::merge_directory(const std::string& path, std::vector<std::string>& todo) {
  const UniqueFd from = open_directory(m_staging.get(), path, m_staging_path.native());
  const UniqueFd to = open_merged(path);
  for (const std::string& name : names_in(from.get(), m_staging_path.native())) {
    std::string entry = join(path, name);
    if (m_merged.contains(entry)) {
      todo.push_back(std::move(entry));
      continue;
    }
    const std::vector<Aside> logs = set_aside_logs(to.get(), name, from.get());
    if (::renameat(from.get(), name.c_str(), to.get(), name.c_str()) != 0) {
      const int error = errno;
      put_back(to.get(), logs);
      throw_errno("replace", shown(entry), error);
    }
    tell_of(logs);
  }
}

// SQLite would play an old log into the new database, or a new one's into an old: what lies beside a restored database
// and does not come from the snapshot itself must not keep its name.
std::vector<TreeWriter::Aside> TreeWriter::set_aside_logs(int directory, const std::string& name,
                                                          int staged_directory) const {
  std::vector<Aside> done;
  const bool single = m_target.shape() == RestoreTarget::Shape::single_file;
  const std::string staged_name = single ? k_single_name : name;
  bool there = false;
  if (!S_ISREG(status_of(staged_directory, staged_name, there).st_mode)) return done;
  bool is_database = is_sqlite_file(staged_directory, staged_name);
  for (const char* suffix : {"-wal", "-journal", "-shm"}) {
    const std::string log = name + suffix;
    if (log.size() > k_name_max || !exists(directory, log) || (!single && exists(staged_directory, log))) continue;
    // An encrypted database has no magic, but its log has. An index of a log (-shm) has none: it goes with the log.
    if (!is_database && !is_sqlite_log_file(directory, log)) continue;
    is_database = true;
    const std::string tail = ".cairn-aside-" + random_name();
    const std::string aside = log.substr(0, k_name_max - tail.size()) + tail;
    if (::renameat(directory, log.c_str(), directory, aside.c_str()) != 0) {
      const int error = errno;
      put_back(directory, done);
      throw_errno("rename", log, error);
    }
    done.push_back({log, aside});
  }
  return done;
}

// The database is still the old one: without its log it would have lost what was committed last.
void TreeWriter::put_back(int directory, const std::vector<Aside>& logs) const {
  for (const Aside& aside : logs) {
    if (::renameat(directory, aside.name.c_str(), directory, aside.log.c_str()) == 0) continue;
    m_reporter.warning(
        fmt::format("unable to rename {} back to {}: {}; the database beside it needs it under that name",
                    quote(aside.name), quote(aside.log), errno_text(errno)));
  }
}

void TreeWriter::tell_of(const std::vector<Aside>& logs) const {
  for (const Aside& aside : logs) {
    m_reporter.warning(fmt::format("{} belonged to the database that was there before: it is now {}", quote(aside.log),
                                   quote(aside.name)));
  }
}

// What could not be put on the directories while they were staged. Deepest first.
void TreeWriter::settle_directories() {
  const int root = merging() ? m_target.directory() : m_staging.get();
  for (const Directory& directory : m_directories) {
    if (directory.path == ".") continue;
    const bool merged = m_merged.contains(directory.path);
    if (merged && directory.existing == Existing::kept) continue;
    const bool closed = !m_privileged && (directory.mode & 0700U) != 0700U;
    if (!merged && !closed) continue;
    const UniqueFd fd =
        merged ? open_merged(directory.path) : open_directory(root, directory.path, shown(directory.path));
    if (merged) {
      remove_other_xattrs(fd.get(), directory.xattrs);
      note(apply_metadata(fd.get(), {directory.mode, directory.uid, directory.gid, directory.mtime, directory.xattrs},
                          shown(directory.path)));
    } else if (id_of(fd.get()) != directory.id) {
      throw_replaced(shown(directory.path));
    } else if (::fchmod(fd.get(), directory.mode) != 0) {
      throw_errno("set the mode of", shown(directory.path), errno);
    }
  }
}

void TreeWriter::settle_root(int root) {
  // Sorted deepest first: the root is the last one.
  if (m_directories.empty() || m_directories.back().path != ".") {
    if (!merging() && ::fchmod(root, m_default_mode) != 0)
      throw_errno("set the mode of", m_target.path().native(), errno);
    return;
  }
  const Directory& entry = m_directories.back();
  if (merging() && entry.existing == Existing::kept) return;
  remove_other_xattrs(root, entry.xattrs);
  note(apply_metadata(root, {entry.mode, entry.uid, entry.gid, entry.mtime, entry.xattrs}, m_target.path().native()));
}

void TreeWriter::warn_of_skipped() const {
  if (m_skipped_owners != 0) {
    m_reporter.warning(
        fmt::format("the owner of {} restored entries could not be set: not permitted", m_skipped_owners.load()));
  }
  if (m_skipped_xattrs != 0) {
    m_reporter.warning(fmt::format("{} extended attributes could not be set, the first {}", m_skipped_xattrs.load(),
                                   m_first_skipped_xattr));
  }
  if (m_skipped_devices != 0) {
    m_reporter.warning(fmt::format("{} devices could not be made: not permitted", m_skipped_devices.load()));
  }
}

}  // namespace cairn
