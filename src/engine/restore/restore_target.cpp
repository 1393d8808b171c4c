#include "engine/restore/restore_target.hpp"

#include "engine/restore/apply_metadata.hpp"
#include "engine/restore/database_in_use.hpp"
#include "engine/restore/target_names.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/pinned_path.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

namespace cairn {

namespace {

[[noreturn]] void refuse(const fs::path& target, std::string_view reason, std::string hint = {}) {
  throw Error(ErrorKind::usage, fmt::format("unable to restore to {}: {}", quote(target.native()), reason),
              std::move(hint));
}

PinnedPath pin(const fs::path& target) {
  try {
    return pin_path(target);
  } catch (const SystemError& e) {
    if (e.number() != ENOTDIR) throw;
    refuse(target, "something above it is not a directory");
  }
}

bool is_empty_directory(int directory, const fs::path& shown) {
  std::vector<std::string> names;
  if (const int error = read_directory(directory, names)) throw_errno("read directory", shown.native(), error);
  return std::all_of(names.begin(), names.end(),
                     [](const std::string& name) { return name.starts_with(RestoreTarget::k_staging_prefix); });
}

// A file system that was made a moment ago has one name in its root.
bool is_new_file_system(int directory, const fs::path& shown) {
  std::vector<std::string> names;
  if (const int error = read_directory(directory, names)) throw_errno("read directory", shown.native(), error);
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    if (name.starts_with(RestoreTarget::k_staging_prefix)) return true;
    struct stat status {};
    return name == "lost+found" && ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(status.st_mode);
  });
}

}  // namespace

std::optional<SeenThere> see(int directory, const std::string& name) noexcept {
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name.empty() ? AT_EMPTY_PATH : 0);
  // A name on which something is mounted leads to the root of that mount, which has another number than the directory.
  struct statx told {};
  if (::statx(directory, name.c_str(), flags, STATX_TYPE | STATX_MODE | STATX_UID | STATX_MNT_ID, &told) == 0 &&
      (told.stx_mask & STATX_MNT_ID) != 0) {
    return SeenThere{
        told.stx_mode, {true, told.stx_mnt_id}, ::makedev(told.stx_dev_major, told.stx_dev_minor), protection_of(told)};
  }
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, flags) != 0) return std::nullopt;
  return SeenThere{status.st_mode,
                   {false, status.st_dev},
                   status.st_dev,
                   {status.st_uid, status.st_mode, protection_of(told).immutable, protection_of(told).append_only}};
}

void require_within_reach(const SeenThere& there, const SeenThere& directory, const fs::path& shown) {
  const bool mounted = there.mount != directory.mount;
  if (!mounted && (!S_ISDIR(there.mode) || there.device == directory.device)) return;
  const std::string hint = "restore to another directory and copy what belongs there";
  throw Error(ErrorKind::failed,
              fmt::format("unable to restore to {}: {}", quote(shown.native()),
                          mounted ? "something is mounted there" : "it is a subvolume of its own"),
              mounted ? "unmount it, or " + hint : hint);
}

void require_replaceable(const SeenThere& there, const SeenThere& directory, const fs::path& shown) {
  if (S_ISDIR(there.mode)) return;
  // Of every entry: who asks is looked up only where it matters.
  const Rights rights = (directory.mode & S_ISVTX) != 0 ? own_rights() : Rights{};
  if (const auto refusal = refusal_to_replace(there.protection, directory.protection, rights)) {
    throw_refusal(*refusal, shown.native());
  }
}

void require_not_given_away(int directory, uid_t owner, const fs::path& shown) {
  struct stat there {};
  struct stat above {};
  if (::geteuid() != 0 || owner == 0 || owner == k_keep_owner) return;
  if (::fstat(directory, &there) != 0 || ::fstatat(directory, "..", &above, 0) != 0) {
    throw_errno("stat", shown.native(), errno);
  }
  if (there.st_uid != 0 || above.st_uid == 0) return;
  throw Error(
      ErrorKind::usage,
      fmt::format(
          "unable to restore to {}: it belongs to root, in a directory of user {}, and in the snapshot to user {}",
          quote(shown.native()), above.st_uid, owner),
      "if what is in it may become that user's, chown it first");
}

RestoreTarget::RestoreTarget(const fs::path& target, Shape shape, Overwrite overwrite)
    : m_shape(shape),
      m_in_place(overwrite == Overwrite::in_place || overwrite == Overwrite::finish),
      m_finish(overwrite == Overwrite::finish),
      m_live(overwrite == Overwrite::live) {
  if (target.empty()) throw Error(ErrorKind::usage, "unable to restore: the target is empty");
  PinnedPath pinned = pin(target);
  if (pinned.leads_to_nothing) refuse(target, "it is a symbolic link to nothing");
  m_path = std::move(pinned.path);
  m_anchor_path = std::move(pinned.directory_path);
  m_below = std::move(pinned.names);
  const bool directory = m_below.empty();
  m_exists = directory || pinned.there != 0;
  if (m_exists && shape == Shape::single_file) {
    if (directory) refuse(target, "it is a directory, and the snapshot is one file", "name the file itself");
    if (S_ISBLK(pinned.there) || S_ISCHR(pinned.there)) refuse(target, "it is a device");
    if (overwrite == Overwrite::no)
      refuse(target, "it exists already", "--overwrite replaces it, --in-place changes what differs");
  }
  if (m_exists && shape == Shape::tree && !directory) {
    refuse(target, "it is not a directory, and the snapshot is one");
  }
  if (m_live && !m_exists) {
    refuse(target, "there is no database that could be live", "without --live it is restored there");
  }
  m_anchor = open_beneath(pinned.directory.get(), ".", O_RDONLY | O_DIRECTORY);
  if (!m_anchor) throw_errno("open", m_anchor_path.native(), errno);
  const auto opened = see(m_anchor.get(), "");
  if (!opened) throw_errno("stat", m_anchor_path.native(), errno);
  m_root = *opened;
  if (directory && overwrite == Overwrite::swap) {
    swap_whole();
  } else if (directory) {
    m_empty = is_empty_directory(m_anchor.get(), m_path);
    if (!m_empty && overwrite == Overwrite::no && !is_new_file_system(m_anchor.get(), m_path)) {
      refuse(target, "it is not empty", "--overwrite replaces what the snapshot has, too, and leaves the rest alone");
    }
  }
}

RestoreTarget::There RestoreTarget::check_entry(const Entry& entry) const {
  if (directory() < 0) return There::nothing;
  const bool root = m_shape == Shape::tree && entry.path == ".";
  if (m_shape == Shape::tree && m_empty) return root ? There::directory : There::nothing;
  if (m_shape == Shape::single_file) {
    const auto there = see(directory(), name());
    if (there) require_within_reach(*there, m_root, m_path);
    if (there && !m_in_place && !m_live) require_replaceable(*there, m_root, m_path);
    if (!m_live) check_database(directory(), name(), m_path);
    return there ? There::other : There::nothing;
  }
  if (root) {
    require_not_given_away(m_anchor.get(), entry.uid, m_path);
    return There::directory;
  }
  const std::size_t slash = entry.path.rfind('/');
  UniqueFd parent;
  if (slash != std::string::npos) {
    parent = open_beneath(m_anchor.get(), std::string_view{entry.path}.substr(0, slash), O_PATH | O_DIRECTORY);
    if (!parent) {
      if (errno == ENOENT || is_unfit_name(errno)) return There::nothing;
      if (errno == ENOTDIR || errno == ELOOP) {
        if (m_in_place) return There::nothing;
        refuse(m_path / entry.path, "something above it is not a directory");
      }
      throw_errno("open", (m_path / entry.path).native(), errno);
    }
  }
  const int directory = parent ? parent.get() : m_anchor.get();
  const auto above = see(directory, "");
  if (!above) throw_errno("stat", (m_path / entry.path).parent_path().native(), errno);
  require_within_reach(*above, m_root, (m_path / entry.path).parent_path());
  const std::string name = slash == std::string::npos ? entry.path : entry.path.substr(slash + 1);
  const auto there = see(directory, name);
  const bool directory_there = there && S_ISDIR(there->mode);
  const bool wants_directory = entry.type == EntryType::directory;
  if (there && directory_there != wants_directory && !m_in_place) throw_conflict(m_path, entry.path, directory_there);
  if (there) require_within_reach(*there, m_root, m_path / entry.path);
  if (there && !m_in_place) require_replaceable(*there, *above, m_path / entry.path);
  if (directory_there && wants_directory && ::geteuid() == 0) {
    const UniqueFd opened = open_beneath(directory, name, O_PATH | O_DIRECTORY);
    if (opened) require_not_given_away(opened.get(), entry.uid, m_path / entry.path);
  }
  if (!wants_directory) check_database(directory, name, m_path / entry.path);
  if (!there) return There::nothing;
  return directory_there ? There::directory : There::other;
}

void RestoreTarget::check_space(std::uint64_t bytes) const {
  struct statvfs room {};
  if (::fstatvfs(m_anchor.get(), &room) != 0) throw_errno("get the free space of", m_anchor_path.native(), errno);
  // Some file systems in memory (ramfs) count nothing.
  if (room.f_blocks == 0) return;
  const std::uint64_t free = static_cast<std::uint64_t>(room.f_bavail) * static_cast<std::uint64_t>(room.f_frsize);
  if (free >= bytes) return;
  throw Error(ErrorKind::failed,
              fmt::format("unable to restore to {}: the disk is too small: {} needed, {} free", quote(m_path.native()),
                          format_size(bytes), format_size(free)),
              "free space there, or restore to another disk");
}

void RestoreTarget::check_inodes(std::uint64_t entries) const {
  struct statvfs room {};
  if (::fstatvfs(m_anchor.get(), &room) != 0) throw_errno("get the free inodes of", m_anchor_path.native(), errno);
  if (room.f_files == 0 || room.f_favail >= entries) return;
  throw Error(ErrorKind::failed,
              fmt::format("unable to restore to {}: the file system has too few inodes: {} needed, {} free",
                          quote(m_path.native()), entries, std::uint64_t{room.f_favail}),
              "remove files there, or restore to another file system");
}

void throw_conflict(const fs::path& root, const std::string& path, bool target_is_directory) {
  refuse(root / path, target_is_directory ? "it is a directory there, and not in the snapshot"
                                          : "it is no directory there, but one in the snapshot");
}

void check_database(int directory, const std::string& name, const fs::path& shown) {
  const auto user = find_database_user(directory, name);
  if (!user) return;
  throw Error(ErrorKind::busy,
              fmt::format("unable to replace {}: {} has the database open", quote(shown.native()), *user),
              "stop it first: a database that is replaced under a running program is lost to it");
}

}  // namespace cairn
