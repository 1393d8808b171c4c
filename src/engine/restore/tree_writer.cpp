#include "engine/restore/tree_writer.hpp"

#include "capture/file_kind.hpp"
#include "capture/sqlite/companions.hpp"
#include "engine/restore/apply_metadata.hpp"
#include "engine/restore/link_copy.hpp"
#include "engine/restore/target_names.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace cairn {

namespace {

[[noreturn]] void refuse(const std::string& path, std::string_view reason) {
  throw Error(ErrorKind::damaged, fmt::format("unable to restore {}: {}", quote(path), reason));
}

// A name that does not lead where entries may lie: an earlier entry of the snapshot is in the way.
bool is_blocked(int error) noexcept {
  return error == ENOTDIR || error == ELOOP;
}

// The file system of the target cannot have the entry: its name, or its kind. It is left out.
class Unfit : public Error {
 public:
  explicit Unfit(std::string reason) : Error(ErrorKind::failed, std::move(reason)) {}
};

// Of what is made in an open directory: exfat-fuse says that there is no such name.
bool is_refused_name(int error) noexcept {
  return is_unfit_name(error) || error == ENOENT;
}

bool is_unfit_kind(int error) noexcept {
  return error == EPERM || error == ENOTSUP || error == ENOSYS || is_unfit_name(error);
}

std::string unfit_name(int error) {
  return "the file system there does not take its name: " + errno_text(error);
}

bool has_exact_name(int directory, const std::string& name, const std::string& shown) {
  const UniqueFd opened = open_beneath(directory, ".", O_RDONLY | O_DIRECTORY);
  if (!opened) throw_errno("open directory", shown, errno);
  std::vector<std::string> names;
  if (const int error = read_directory(opened.get(), names)) throw_errno("read directory", shown, error);
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr std::string_view k_not_below = "it lies below an entry that is no directory";
constexpr std::string_view k_twice = "the snapshot names it twice";

bool begins_like_database(int fd, std::uint64_t size) noexcept {
  // Not smaller than a page is, and as much as its header.
  std::array<std::uint8_t, 512> head{};
  const ssize_t n = size < head.size() ? 0 : ::pread(fd, head.data(), head.size(), 0);
  return n > 0 && is_sqlite_database(ByteView{head}.first(static_cast<std::size_t>(n)), size);
}

Metadata metadata_of(const Entry& entry) {
  return {.mode = entry.mode, .uid = entry.uid, .gid = entry.gid, .mtime = entry.mtime, .xattrs = entry.xattrs};
}

}  // namespace

TreeWriter::TreeWriter(const RestoreTarget& target, Staging& staging, SkippedTally& tally)
    : m_target(target), m_staging(staging), m_tally(tally), m_open(staging.fd()) {}

std::string TreeWriter::staged(const std::string& entry_path) const {
  return single() ? k_single_name : entry_path;
}

void TreeWriter::admit(const Entry& entry) {
  if (!is_valid_entry_path(entry.path)) refuse(entry.path, "that is no path of an entry");
  const bool directory = entry.type == EntryType::directory;
  if (single()) {
    if (directory || entry.type == EntryType::hard_link) refuse(entry.path, "the snapshot is said to be one file");
  } else if (entry.path == "." && !directory) {
    refuse(entry.path, "the root of the snapshot is no directory");
  }
  m_target.check_entry(entry);
  ++m_entries;
}

// Makes the directories above path that are not there yet.
void TreeWriter::make_parents(const std::string& path) const {
  UniqueFd at;
  for (std::size_t begin = 0;;) {
    const std::size_t slash = path.find('/', begin);
    if (slash == std::string::npos) return;
    const std::string name = path.substr(begin, slash - begin);
    const int parent = at ? at.get() : m_staging.fd();
    // Nobody else gets into staging, so the default mode is as good as a private one here.
    if (::mkdirat(parent, name.c_str(), 0777) != 0 && errno != EEXIST) {
      if (is_refused_name(errno)) throw Unfit(unfit_name(errno));
      throw_errno("create directory", shown(path), errno);
    }
    UniqueFd next = open_beneath(parent, name, O_PATH | O_DIRECTORY);
    if (!next) {
      if (is_blocked(errno)) refuse(path, k_not_below);
      throw_errno("open directory", shown(path), errno);
    }
    at = std::move(next);
    begin = slash + 1;
  }
}

TreeWriter::StagedName TreeWriter::locate(const std::string& path) {
  const auto [parent, name] = split_path(path);
  auto directory = m_open.open(parent);
  if (!directory && errno == ENOENT) {
    make_parents(path);
    directory = m_open.open(parent);
  }
  if (!directory) {
    if (is_blocked(errno)) refuse(path, k_not_below);
    if (is_unfit_name(errno)) throw Unfit(unfit_name(errno));
    throw_errno("open directory", shown(parent), errno);
  }
  return {std::move(directory), name};
}

// FAT, exFAT and NTFS drop dots and blanks at the end of a name. All of staging lies on one file system: one look
// tells.
void TreeWriter::require_kept(int directory, const std::string& name, bool is_directory, const std::string& shown) {
  if (!name.ends_with('.') && !name.ends_with(' ')) return;
  std::atomic<bool>& kept = name.ends_with('.') ? m_keeps_dots : m_keeps_blanks;
  if (kept) return;
  if (has_exact_name(directory, name, shown)) {
    kept = true;
    return;
  }
  ::unlinkat(directory, name.c_str(), is_directory ? AT_REMOVEDIR : 0);
  throw Unfit("the file system there does not keep its name as it is");
}

void TreeWriter::leave_out(const Entry& entry, const std::string& reason) {
  m_tally.leave_out({entry.path, reason, entry.type == EntryType::file});
  const std::lock_guard lock{m_mutex};
  m_left_out.insert(entry.path);
  m_any_left_out = true;
}

void TreeWriter::require_parents(const std::string& path) {
  if (!m_any_left_out) return;
  const std::lock_guard lock{m_mutex};
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (m_left_out.contains(path.substr(0, slash))) throw Unfit("the directory that it is in was left out");
  }
}

bool TreeWriter::was_left_out(const std::string& path) {
  const std::lock_guard lock{m_mutex};
  return m_left_out.contains(path);
}

// Of a name that the directory said it has.
void TreeWriter::refuse_taken(const Entry& entry, const StagedName& place) const {
  if (has_exact_name(place.parent(), place.name, shown(entry.path))) refuse(entry.path, k_twice);
  throw Unfit("the file system there takes its name for that of another entry");
}

// Moves what an earlier run left into the place of a file: nothing, where it is not a plain file of this user with one
// name, or lies on another file system. It was checked to be ours when its directory was adopted, and nobody else gets
// in there.
UniqueFd TreeWriter::take_over(const StagedName& place, LocalSource& base) {
  base.check();
  const std::string& path = base.file().path;
  const SplitPath split = split_path(path);
  const UniqueFd from = open_beneath(base.file().root->directory.get(), split.parent, O_PATH | O_DIRECTORY);
  struct stat status {};
  if (!from || ::fstatat(from.get(), split.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      stamp_of(status) != base.file().stamp) {
    throw LocalChanged(base.file().shown());
  }
  // A file that root restored has its owner already; nobody but root gets at it here.
  const bool ours = status.st_uid == ::geteuid() || ::geteuid() == 0;
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1 || !ours) return {};
  if (::renameat2(from.get(), split.name.c_str(), place.parent(), place.name.c_str(), RENAME_NOREPLACE) != 0) return {};
  // It may have its metadata already: attributes of it would stay, and its mode keep its owner from writing.
  const UniqueFd seen = open_beneath(place.parent(), place.name, O_PATH);
  if (!seen || id_of(seen.get()) != base.file().stamp.id) throw LocalChanged(base.file().shown());
  if (::fchmodat(place.parent(), place.name.c_str(), 0600, 0) != 0)
    throw_errno("set the mode of", base.file().shown(), errno);
  UniqueFd fd = open_beneath(place.parent(), place.name, O_RDWR);
  if (!fd) throw_errno("open", base.file().shown(), errno);
  replace_xattrs(fd.get(), {});
  return fd;
}

std::unique_ptr<TreeWriter::File> TreeWriter::begin_file(const Entry& entry, LocalSource* base) {
  admit(entry);
  try {
    return create_file(entry, base);
  } catch (const LocalChanged&) {
    --m_entries;  // it comes once more
    throw;
  } catch (const Unfit& e) {
    leave_out(entry, e.message());
    return std::unique_ptr<File>(new File(entry, UniqueFd{}, {}, nullptr));
  }
}

std::unique_ptr<TreeWriter::File> TreeWriter::create_file(const Entry& entry, LocalSource* base) {
  require_parents(entry.path);
  const std::string path = staged(entry.path);
  const std::string name = single() ? m_target.path().native() : shown(entry.path);
  const StagedName place = locate(path);
  UniqueFd fd;
  bool based = false;
  try {
    const auto kind = base == nullptr ? LocalRoot::Kind::seed : base->file().root->kind;
    if (kind == LocalRoot::Kind::staging || kind == LocalRoot::Kind::spare) fd = take_over(place, *base);
    based = static_cast<bool>(fd);
    if (!fd) fd = open_beneath(place.parent(), place.name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!fd) {
      if (errno == EEXIST) refuse_taken(entry, place);
      if (is_refused_name(errno)) throw Unfit(unfit_name(errno));
      throw_errno("create", name, errno);
    }
    if (base != nullptr && !based) {
      based = clone_file(base->fd(), fd.get());
      base->check();
    }
  } catch (const LocalChanged&) {
    // It is made anew from something else.
    ::unlinkat(place.parent(), place.name.c_str(), 0);
    throw;
  }
  require_kept(place.parent(), place.name, false, name);
  if (entry.size != 0 && ::ftruncate(fd.get(), static_cast<off_t>(entry.size)) != 0) {
    const int error = errno;
    if (error != EFBIG || ::unlinkat(place.parent(), place.name.c_str(), 0) != 0) {
      throw_errno("set the size of", name, error);
    }
    throw Unfit("it is larger than a file of the file system there can be");
  }
  ++m_unfinished;
  // A single file is synced alone: what else its file system has to write is no matter of it.
  EarlySync* const sync = single() ? nullptr : &m_staging.early_sync();
  std::unique_ptr<File> file{new File(entry, std::move(fd), name, sync)};
  if (based) file->m_base = base;
  return file;
}

void TreeWriter::File::require_room(std::uint64_t offset, std::uint64_t length) const {
  if (offset > m_entry.size || length > m_entry.size - offset) {
    refuse(m_entry.path, "its content is longer than its size");
  }
}

void TreeWriter::File::write_at(std::uint64_t offset, ByteView bytes) {
  require_room(offset, bytes.size());
  if (!m_fd) return;
  cairn::write_at(m_fd.get(), bytes, offset, m_shown);
  if (m_sync != nullptr) m_sync->wrote(bytes.size());
}

void TreeWriter::File::copy_at(std::uint64_t offset, std::uint64_t length, LocalSource& from, std::uint64_t from_offset,
                               const std::optional<Digest>& digest) {
  require_room(offset, length);
  if (!m_fd) return;
  if (&from == m_base && from_offset == offset) return;
  const LocalRange range{from, from_offset, length};
  const WritePlace place{m_fd.get(), offset, m_shown};
  if (digest) {
    copy_checked(range, place, *digest);
  } else {
    copy_range(range, place);
  }
  if (m_sync != nullptr) m_sync->wrote(length);
}

void TreeWriter::File::make_hole_at(std::uint64_t offset, std::uint64_t length) {
  require_room(offset, length);
  if (m_fd && m_base != nullptr) make_hole(m_fd.get(), offset, length, m_shown);
}

void TreeWriter::finish_file(std::unique_ptr<File> file) {
  if (!file->m_fd) return;
  if (begins_like_database(file->m_fd.get(), file->m_entry.size)) {
    const std::lock_guard lock{m_mutex};
    m_databases.push_back({file->m_entry.path, file->m_entry.size});
  }
  m_tally.note(apply_metadata(file->m_fd.get(), metadata_of(file->m_entry), file->m_shown));
  // Network file systems report here what they could not write.
  if (::close(file->m_fd.release()) != 0) throw_errno("close", file->m_shown, errno);
  --m_unfinished;
}

void TreeWriter::drop_file(std::unique_ptr<File> file) {
  if (!file->m_fd) return;
  const StagedName place = locate(staged(file->m_entry.path));
  if (::unlinkat(place.parent(), place.name.c_str(), 0) != 0) throw_errno("remove", file->m_shown, errno);
  --m_unfinished;
  --m_entries;
}

std::vector<TreeWriter::Database> TreeWriter::take_databases() {
  const std::lock_guard lock{m_mutex};
  std::vector<Database> databases = std::exchange(m_databases, {});
  std::sort(databases.begin(), databases.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return databases;
}

bool TreeWriter::has_log(const std::string& path) {
  const StagedName place = locate(staged(path));
  return std::any_of(sqlite::k_logs.begin(), sqlite::k_logs.end(), [&](const char* suffix) {
    const auto log = sqlite::status_beside(place.parent(), place.name, suffix);
    return log && log->st_size > 0;
  });
}

UniqueFd TreeWriter::open_finished(const std::string& path) {
  const StagedName place = locate(staged(path));
  UniqueFd fd = open_beneath(place.parent(), place.name, O_RDONLY);
  struct stat status {};
  // Its mode may let not even its owner read it.
  if (!fd && errno == EACCES && ::fstatat(place.parent(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      ::fchmodat(place.parent(), place.name.c_str(), (status.st_mode & 07777U) | S_IRUSR, 0) == 0) {
    fd = open_beneath(place.parent(), place.name, O_RDONLY);
    if (fd && ::fchmod(fd.get(), status.st_mode & 07777U) != 0) throw_errno("set the mode of", shown(path), errno);
  }
  if (!fd && errno != EACCES && errno != EPERM) throw_errno("open", shown(path), errno);
  return fd;
}

void TreeWriter::remove_finished(const std::string& path) {
  const StagedName place = locate(staged(path));
  if (::unlinkat(place.parent(), place.name.c_str(), 0) != 0) throw_errno("remove", shown(path), errno);
}

void TreeWriter::add(const Entry& entry, ExistingDirectory existing) {
  admit(entry);
  try {
    make(entry, existing);
  } catch (const Unfit& e) {
    leave_out(entry, e.message());
  }
}

void TreeWriter::make(const Entry& entry, ExistingDirectory existing) {
  require_parents(entry.path);
  switch (entry.type) {
    case EntryType::file:
      throw Error(ErrorKind::failed, "unable to restore a file without its content");
    case EntryType::directory:
      return add_directory(entry, existing);
    case EntryType::hard_link: {
      if (!is_valid_entry_path(entry.link_target) || entry.link_target == ".") {
        refuse(entry.path, "it is a link to what is no path of an entry");
      }
      Link link{entry.path, entry.link_target};
      if (make_link(link)) return;
      const std::lock_guard lock{m_mutex};
      m_late_links.push_back(std::move(link));
      return;
    }
    default:
      return add_special(entry);
  }
}

void TreeWriter::add_directory(const Entry& entry, ExistingDirectory existing) {
  if (entry.path != ".") {
    const StagedName place = locate(entry.path);
    if (::mkdirat(place.parent(), place.name.c_str(), 0777) != 0) {
      struct stat status {};
      // It may have been made for what lies in it; whether the snapshot names it twice is found when all are known.
      const bool exists = errno == EEXIST;
      if (is_refused_name(errno)) throw Unfit(unfit_name(errno));
      if (!exists) throw_errno("create directory", shown(entry.path), errno);
      if (::fstatat(place.parent(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
          !S_ISDIR(status.st_mode)) {
        refuse_taken(entry, place);
      }
      if (!has_exact_name(place.parent(), place.name, shown(entry.path))) refuse_taken(entry, place);
    }
    require_kept(place.parent(), place.name, true, shown(entry.path));
  }
  const std::lock_guard lock{m_mutex};
  m_directories.push_back({entry.path, entry.mode & 07777U, entry.uid, entry.gid, entry.mtime, entry.xattrs, existing});
}

void TreeWriter::add_existing(const Entry& entry, ExistingDirectory existing) {
  admit(entry);
  const std::lock_guard lock{m_mutex};
  StagedDirectory directory{entry.path, entry.mode & 07777U, entry.uid, entry.gid, entry.mtime, entry.xattrs, existing};
  directory.there = true;
  m_directories.push_back(std::move(directory));
}

void TreeWriter::add_link(const Entry& entry) {
  admit(entry);
  if (!is_valid_entry_path(entry.link_target) || entry.link_target == ".") {
    refuse(entry.path, "it is a link to what is no path of an entry");
  }
  try {
    require_parents(entry.path);
    if (make_link({entry.path, entry.link_target})) return;
  } catch (const Unfit& e) {
    return leave_out(entry, e.message());
  }
  const std::lock_guard lock{m_mutex};
  if (m_device_paths.contains(entry.link_target)) {
    m_tally.note_device();
    return;
  }
  m_links.push_back({entry.path, entry.link_target});
}

// exfat-fuse makes a regular file for any mknod(2), and Linux reports EIO for what is not the kind that was asked for.
bool TreeWriter::drop_made_file(const StagedName& place) {
  struct stat status {};
  if (::fstatat(place.parent(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return S_ISREG(status.st_mode) && ::unlinkat(place.parent(), place.name.c_str(), 0) == 0;
}

void TreeWriter::add_special(const Entry& entry) {
  const StagedName place = locate(staged(entry.path));
  const int parent = place.parent();
  int result = 0;
  if (entry.type == EntryType::symlink) {
    if (entry.link_target.empty() || entry.link_target.find('\0') != std::string::npos) {
      refuse(entry.path, "it is a symbolic link without a target");
    }
    result = ::symlinkat(entry.link_target.c_str(), parent, place.name.c_str());
  } else {
    const bool device = entry.type == EntryType::char_device || entry.type == EntryType::block_device;
    const dev_t number = device ? makedev(entry.device_major, entry.device_minor) : 0;
    result = ::mknodat(parent, place.name.c_str(), file_type(entry.type) | 0600U, number);
    if (result != 0 && errno == EPERM && device) {
      m_tally.note_device();
      const std::lock_guard lock{m_mutex};
      m_device_paths.insert(entry.path);
      return;
    }
  }
  if (result != 0) {
    if (errno == EEXIST) refuse_taken(entry, place);
    if (is_refused_name(errno)) throw Unfit(unfit_name(errno));
    if (is_unfit_kind(errno)) throw Unfit("the file system there does not make any: " + errno_text(errno));
    const int error = errno;
    if (error == EIO && drop_made_file(place)) throw Unfit("the file system there makes a regular file of it");
    throw_errno("create", shown(entry.path), error);
  }
  require_kept(place.parent(), place.name, false, shown(entry.path));
  m_tally.note(apply_metadata_at(parent, place.name, entry.type, metadata_of(entry), shown(entry.path)));
}

// False where the target is not there (yet).
bool TreeWriter::make_link(const Link& link) {
  if (m_any_left_out && was_left_out(link.target)) throw Unfit("what it is a hard link to was left out");
  const auto [parent, name] = split_path(link.target);
  const auto from = m_open.open(parent);
  if (!from) {
    if (errno == ENOENT) return false;
    if (is_blocked(errno)) refuse(link.path, "it is a link to what lies below an entry that is no directory");
    throw_errno("open directory", shown(parent), errno);
  }
  const StagedName place = locate(link.path);
  // No AT_SYMLINK_FOLLOW: a symbolic link may have several names, too.
  if (::linkat(from->get(), name.c_str(), place.parent(), place.name.c_str(), 0) == 0) return true;
  const int error = errno;
  if (error == EEXIST) refuse_taken(link_entry(link), place);
  struct stat status {};
  const bool there = ::fstatat(from->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (!there) return false;
  if (error == EPERM && S_ISDIR(status.st_mode)) refuse(link.path, "it is a link to a directory");
  if (is_refused_name(error)) throw Unfit(unfit_name(error));
  if ((is_unfit_kind(error) || error == EMLINK) && S_ISREG(status.st_mode)) {
    copy_for_link(from->get(), name, place.parent(), place.name, shown(link.path));
    m_tally.note_copy();
    return true;
  }
  if (is_unfit_kind(error)) throw Unfit("the file system there does not make any: " + errno_text(error));
  throw_errno("create hard link", shown(link.path), error);
}

Entry TreeWriter::link_entry(const Link& link) {
  Entry entry;
  entry.path = link.path;
  entry.type = EntryType::hard_link;
  return entry;
}

// True where nothing is left to do for it.
bool TreeWriter::settle_link(const Link& link) {
  try {
    return make_link(link);
  } catch (const Unfit& e) {
    leave_out(link_entry(link), e.message());
    return true;
  }
}

void TreeWriter::make_late_links() {
  const auto goes_with_device = [&](const Link& link) {
    if (!m_device_paths.contains(link.target)) return false;
    m_tally.note_device();
    m_device_paths.insert(link.path);
    return true;
  };
  // A link may name a link that is late itself, so they are tried until a round makes none.
  std::vector<Link> left = std::move(m_late_links);
  while (!left.empty()) {
    const std::size_t before = left.size();
    left.erase(std::remove_if(left.begin(), left.end(),
                              [&](const Link& link) { return goes_with_device(link) || settle_link(link); }),
               left.end());
    if (left.size() == before) {
      refuse(left.front().path, fmt::format("it is a link to {}, which is not there", quote(left.front().target)));
    }
  }
}

StagedTree TreeWriter::finish() {
  const std::string target = quote(m_target.path().native());
  if (m_unfinished != 0) {
    throw Error(ErrorKind::failed,
                fmt::format("unable to restore to {}: {} files are not finished", target, m_unfinished.load()));
  }
  if (single() && m_entries != 1) {
    throw Error(ErrorKind::damaged,
                fmt::format("unable to restore to {}: the snapshot is said to be one file, and has {}", target,
                            m_entries.load()));
  }
  make_late_links();
  // Deepest first; the same path twice comes out side by side.
  std::sort(m_directories.begin(), m_directories.end(),
            [](const StagedDirectory& a, const StagedDirectory& b) { return compare_paths(a.path, b.path) > 0; });
  const auto twice =
      std::adjacent_find(m_directories.begin(), m_directories.end(),
                         [](const StagedDirectory& a, const StagedDirectory& b) { return a.path == b.path; });
  if (twice != m_directories.end()) refuse(twice->path, k_twice);
  return {std::move(m_directories), std::move(m_links)};
}

}  // namespace cairn
