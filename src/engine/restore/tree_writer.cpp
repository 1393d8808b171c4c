#include "engine/restore/tree_writer.hpp"

#include "util/beneath.hpp"
#include "util/error.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace cairn {

namespace {

constexpr unsigned k_private_mode = 0700;
constexpr const char* k_probe_name = "mode";
constexpr int k_staging_attempts = 3;

[[noreturn]] void refuse(const std::string& path, std::string_view reason) {
  throw Error(ErrorKind::damaged, fmt::format("unable to restore {}: {}", quote(path), reason));
}

// A name that does not lead where entries may lie: an earlier entry of the snapshot is in the way.
bool is_blocked(int error) noexcept {
  return error == ENOTDIR || error == ELOOP;
}

constexpr std::string_view k_not_below = "it lies below an entry that is no directory";
constexpr std::string_view k_twice = "the snapshot names it twice";

mode_t file_type(EntryType type) noexcept {
  switch (type) {
    case EntryType::fifo:
      return S_IFIFO;
    case EntryType::socket:
      return S_IFSOCK;
    case EntryType::char_device:
      return S_IFCHR;
    case EntryType::block_device:
      return S_IFBLK;
    default:
      return S_IFREG;
  }
}

struct SplitPath {
  std::string parent;  // "." for none
  std::string name;
};

SplitPath split_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

Metadata metadata_of(const Entry& entry) {
  return {.mode = entry.mode, .uid = entry.uid, .gid = entry.gid, .mtime = entry.mtime, .xattrs = entry.xattrs};
}

}  // namespace

TreeWriter::TreeWriter(RestoreTarget target, Reporter& reporter)
    : m_target(std::move(target)), m_reporter(reporter), m_privileged(::geteuid() == 0) {
  remove_stale();
  make_staging();
  m_open.emplace(m_staging.get());
  m_sync.emplace(m_staging.get());
}

TreeWriter::~TreeWriter() {
  if (!m_published) remove_staging();
}

void TreeWriter::make_staging() {
  for (int attempt = 0; attempt < k_staging_attempts; ++attempt) {
    m_staging_name = RestoreTarget::k_staging_prefix + random_name();
    m_staging_path = m_target.anchor_path() / m_staging_name;
    if (::mkdirat(m_target.anchor(), m_staging_name.c_str(), k_private_mode) != 0) {
      throw_errno("create directory", m_staging_path.native(), errno);
    }
    m_staging = open_beneath(m_target.anchor(), m_staging_name, O_RDONLY | O_DIRECTORY);
    if (!m_staging) throw_errno("open", m_staging_path.native(), errno);
    // Says that this restore lives. Where the file system has no such locks, nobody else can take one to find out.
    // Before it is held another restore may have taken it for a stale one.
    if (::flock(m_staging.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) continue;
    if (id_at(m_target.anchor(), m_staging_name) != id_of(m_staging.get())) continue;
    try {
      return check_staging();
    } catch (...) {
      ::unlinkat(m_target.anchor(), m_staging_name.c_str(), AT_REMOVEDIR);  // only if it is empty, whichever it is
      throw;
    }
  }
  throw Error(ErrorKind::failed,
              fmt::format("unable to create {}: it is removed at once", quote(m_staging_path.native())));
}

// Makes sure that staging is as good as what was made a moment ago: whoever may rename things beside it can have put
// another directory in its place. A directory of our own, on the same mount, with nothing in it after nobody else may
// put anything there, will do, whichever it is.
void TreeWriter::check_staging() {
  const auto replaced = [this] {
    return Error(ErrorKind::failed, fmt::format("unable to create {}: another directory took its place meanwhile",
                                                quote(m_staging_path.native())));
  };
  const auto is_empty = [this] {
    std::vector<std::string> names;
    if (const int error = read_directory(m_staging.get(), names)) {
      throw_errno("read directory", m_staging_path.native(), error);
    }
    return names.empty();
  };
  struct stat made {};
  if (::fstat(m_staging.get(), &made) != 0) throw_errno("stat", m_staging_path.native(), errno);
  const auto above = see(m_target.anchor(), "");
  const auto here = see(m_staging.get(), "");
  if (!above || !here) throw_errno("stat", m_staging_path.native(), errno);
  if (here->mount != above->mount || !is_own(m_target.anchor(), made.st_uid) || !is_empty()) throw replaced();
  m_default_mode = learn_default_mode();
  if (make_private(m_staging.get()) != 0) throw_errno("set the mode of", m_staging_path.native(), errno);
  remove_acls(m_staging.get());
  if (!is_empty()) throw replaced();
}

// Of a directory that nobody says anything about: reading the umask would change it for other threads.
mode_t TreeWriter::learn_default_mode() const {
  struct stat made {};
  if (::mkdirat(m_staging.get(), k_probe_name, 0777) != 0 ||
      ::fstatat(m_staging.get(), k_probe_name, &made, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::unlinkat(m_staging.get(), k_probe_name, AT_REMOVEDIR) != 0) {
    throw_errno("create directory", m_staging_path.native(), errno);
  }
  return made.st_mode & 0777U;
}

// Removes what restores left that were killed: named as staging is, ours, and not locked by anybody.
void TreeWriter::remove_stale() const {
  const int anchor = m_target.anchor();
  std::vector<std::string> names;
  if (read_directory(anchor, names) != 0) return;
  for (const std::string& name : names) {
    if (!name.starts_with(RestoreTarget::k_staging_prefix)) continue;
    const UniqueFd fd = open_beneath(anchor, name, O_RDONLY | O_DIRECTORY);
    if (!fd || !may_be_left(anchor, fd.get())) continue;
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (remove_directory_at(anchor, name, fd.get()) == 0) {
      m_reporter.info(
          fmt::format("removed {}, left by an interrupted restore", quote((m_target.anchor_path() / name).native())));
    }
  }
}

void TreeWriter::remove_staging() noexcept {
  try {
    remove_directory_at(m_target.anchor(), m_staging_name, m_staging.get());
  } catch (const std::exception&) {
    // Then the next restore removes it.
    return;
  }
}

std::string TreeWriter::staged(const std::string& entry_path) const {
  return m_target.shape() == RestoreTarget::Shape::single_file ? k_single_name : entry_path;
}

void TreeWriter::admit(const Entry& entry) {
  if (!is_valid_entry_path(entry.path)) refuse(entry.path, "that is no path of an entry");
  const bool directory = entry.type == EntryType::directory;
  if (m_target.shape() == RestoreTarget::Shape::single_file) {
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
    const int parent = at ? at.get() : m_staging.get();
    // Nobody else gets into staging, so the default mode is as good as a private one here.
    if (::mkdirat(parent, name.c_str(), 0777) != 0 && errno != EEXIST)
      throw_errno("create directory", shown(path), errno);
    UniqueFd next = open_beneath(parent, name, O_PATH | O_DIRECTORY);
    if (!next) {
      if (is_blocked(errno)) refuse(path, k_not_below);
      throw_errno("open directory", shown(path), errno);
    }
    at = std::move(next);
    begin = slash + 1;
  }
}

TreeWriter::Place TreeWriter::locate(const std::string& path) {
  const auto [parent, name] = split_path(path);
  auto directory = m_open->open(parent);
  if (!directory && errno == ENOENT) {
    make_parents(path);
    directory = m_open->open(parent);
  }
  if (!directory) {
    if (is_blocked(errno)) refuse(path, k_not_below);
    throw_errno("open directory", shown(parent), errno);
  }
  return {std::move(directory), name};
}

std::unique_ptr<TreeWriter::File> TreeWriter::begin_file(const Entry& entry) {
  admit(entry);
  const std::string path = staged(entry.path);
  const std::string name =
      m_target.shape() == RestoreTarget::Shape::single_file ? m_target.path().native() : shown(entry.path);
  const Place place = locate(path);
  UniqueFd fd = open_beneath(place.parent(), place.name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (!fd) {
    if (errno == EEXIST) refuse(entry.path, k_twice);
    throw_errno("create", name, errno);
  }
  if (entry.size != 0 && ::ftruncate(fd.get(), static_cast<off_t>(entry.size)) != 0) {
    throw_errno("set the size of", name, errno);
  }
  ++m_unfinished;
  // A single file is synced alone: what else its file system has to write is no matter of it.
  EarlySync* const sync = m_target.shape() == RestoreTarget::Shape::tree ? &*m_sync : nullptr;
  return std::unique_ptr<File>(new File(entry, std::move(fd), name, sync));
}

void TreeWriter::File::write_at(std::uint64_t offset, ByteView bytes) {
  if (offset > m_entry.size || bytes.size() > m_entry.size - offset) {
    refuse(m_entry.path, "its content is longer than its size");
  }
  cairn::write_at(m_fd.get(), bytes, offset, m_shown);
  if (m_sync != nullptr) m_sync->wrote(bytes.size());
}

void TreeWriter::finish_file(std::unique_ptr<File> file) {
  note(apply_metadata(file->m_fd.get(), metadata_of(file->m_entry), file->m_shown));
  // Network file systems report here what they could not write.
  if (::close(file->m_fd.release()) != 0) throw_errno("close", file->m_shown, errno);
  --m_unfinished;
}

void TreeWriter::drop_file(std::unique_ptr<File> file) {
  const Place place = locate(staged(file->m_entry.path));
  if (::unlinkat(place.parent(), place.name.c_str(), 0) != 0) throw_errno("remove", file->m_shown, errno);
  --m_unfinished;
}

void TreeWriter::add(const Entry& entry, Existing existing) {
  admit(entry);
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

void TreeWriter::add_directory(const Entry& entry, Existing existing) {
  if (entry.path != ".") {
    const Place place = locate(entry.path);
    if (::mkdirat(place.parent(), place.name.c_str(), 0777) != 0) {
      struct stat status {};
      // It may have been made for what lies in it; whether the snapshot names it twice is found when all are known.
      const bool exists = errno == EEXIST;
      if (!exists) throw_errno("create directory", shown(entry.path), errno);
      if (::fstatat(place.parent(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
          !S_ISDIR(status.st_mode)) {
        refuse(entry.path, k_twice);
      }
    }
  }
  const std::lock_guard lock{m_mutex};
  m_directories.push_back({entry.path, entry.mode & 07777U, entry.uid, entry.gid, entry.mtime, entry.xattrs, existing});
}

void TreeWriter::add_special(const Entry& entry) {
  const Place place = locate(staged(entry.path));
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
      ++m_skipped_devices;
      const std::lock_guard lock{m_mutex};
      m_device_paths.insert(entry.path);
      return;
    }
  }
  if (result != 0) {
    if (errno == EEXIST) refuse(entry.path, k_twice);
    throw_errno("create", shown(entry.path), errno);
  }
  note(apply_metadata_at(parent, place.name, entry.type, metadata_of(entry), shown(entry.path)));
}

// False where the target is not there (yet).
bool TreeWriter::make_link(const Link& link) {
  const auto [parent, name] = split_path(link.target);
  const auto from = m_open->open(parent);
  if (!from) {
    if (errno == ENOENT) return false;
    if (is_blocked(errno)) refuse(link.path, "it is a link to what lies below an entry that is no directory");
    throw_errno("open directory", shown(parent), errno);
  }
  const Place place = locate(link.path);
  // No AT_SYMLINK_FOLLOW: a symbolic link may have several names, too.
  if (::linkat(from->get(), name.c_str(), place.parent(), place.name.c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  if (errno == EEXIST) refuse(link.path, k_twice);
  if (errno == EPERM) refuse(link.path, "it is a link to a directory");
  throw_errno("create hard link", shown(link.path), errno);
}

void TreeWriter::note(const SkippedMetadata& skipped) {
  if (skipped.owner) ++m_skipped_owners;
  if (skipped.xattrs == 0) return;
  m_skipped_xattrs += skipped.xattrs;
  const std::lock_guard lock{m_mutex};
  if (m_first_skipped_xattr.empty()) m_first_skipped_xattr = skipped.first_xattr;
}

}  // namespace cairn
