#include "engine/restore/apply_metadata.hpp"

#include "capture/metadata.hpp"
#include "util/capabilities.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

namespace cairn {

namespace {

constexpr const char* k_access_acl = "system.posix_acl_access";
constexpr const char* k_default_acl = "system.posix_acl_default";
constexpr std::uint32_t k_set_id_bits = 06000;

struct timespec to_timespec(Time time) noexcept {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  struct timespec result {};
  result.tv_sec = static_cast<time_t>(seconds.time_since_epoch().count());
  result.tv_nsec = static_cast<long>((time - seconds).count());
  return result;
}

// The file system has no such thing, or not for this user: what is restored is whole without it.
bool cannot_take(int error) noexcept {
  return error == EPERM || error == EINVAL || error == ENOTSUP || error == ENOSYS || error == EOVERFLOW ||
         error == ERANGE;
}

std::string why(const std::string& shown, std::string_view cause) {
  return fmt::format("that of {}: {}", quote(shown), cause);
}

// result: of the call that was to set it. verb: what that was.
void note_result(int result, std::string& skipped, std::string_view verb, const std::string& shown) {
  if (result == 0) return;
  if (!cannot_take(errno)) throw_errno(verb, shown, errno);
  skipped = why(shown, errno_text(errno));
}

template <class Set>
void set_xattrs(const std::vector<Xattr>& xattrs, Set set, const std::string& shown, SkippedMetadata& skipped) {
  for (const Xattr& xattr : xattrs) {
    if (set(xattr) == 0) continue;
    if (xattr.name == k_access_acl || xattr.name == k_default_acl) {
      if (skipped.acls++ == 0) skipped.first_acl = why(shown, errno_text(errno));
      continue;
    }
    if (skipped.xattrs++ == 0) {
      skipped.first_xattr = fmt::format("{} of {}: {}", quote(xattr.name), quote(shown), errno_text(errno));
    }
  }
}

// Whether this process may give a file to that user, and nothing more of it then: a root with CAP_CHOWN, but without
// CAP_FOWNER. The owner has to come last, though it costs set-id bits.
bool gives_away_for_good(uid_t uid) noexcept {
  static const bool k_may_only_give = has_capability(CAP_CHOWN) && !has_capability(CAP_FOWNER);
  return k_may_only_give && uid != ::geteuid();
}

// Attributes of users' are written by whoever may write the content, the owner no less. The mode is set after them.
void let_owner_write(int fd) noexcept {
  struct stat status {};
  if (::geteuid() == 0 || ::fstat(fd, &status) != 0 || (status.st_mode & S_IWUSR) != 0) return;
  ::fchmod(fd, (status.st_mode & 07777U) | S_IWUSR);
}

template <class Chosen>
void remove_xattrs(int fd, const std::vector<Xattr>& keep, Chosen chosen) {
  std::string names(65536, '\0');  // the most that the kernel gives (XATTR_LIST_MAX)
  const ssize_t size = ::flistxattr(fd, names.data(), names.size());
  if (size <= 0) return;
  names.resize(static_cast<std::size_t>(size));
  let_owner_write(fd);
  for (std::size_t begin = 0; begin < names.size();) {
    const std::string name{names.c_str() + begin};
    begin += name.size() + 1;
    const bool kept = std::any_of(keep.begin(), keep.end(), [&](const Xattr& xattr) { return xattr.name == name; });
    if (!kept && chosen(name)) ::fremovexattr(fd, name.c_str());
  }
}

// chown(uid, gid), else at least the group: a user may give a file to any group he is in.
template <class Chown>
bool set_owner(const Metadata& metadata, Chown chown, const std::string& shown) {
  if (chown(metadata.uid, metadata.gid) == 0) return true;
  if (!cannot_take(errno)) throw_errno("set the owner of", shown, errno);
  static_cast<void>(chown(static_cast<uid_t>(-1), metadata.gid));
  return false;
}

bool is_owner(const struct stat& status, const Metadata& metadata) noexcept {
  return (metadata.uid == k_keep_owner || status.st_uid == metadata.uid) &&
         (metadata.gid == k_keep_owner || status.st_gid == metadata.gid);
}

// Some file systems (ntfs-3g, exfat-fuse) take owner and mode without a word, and without effect.
void note_forgotten(int fd, const Metadata& metadata, std::uint32_t mode, const std::string& shown,
                    SkippedMetadata& skipped) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return;
  if (skipped.mode.empty() && (status.st_mode & 0777U) != (mode & 0777U)) {
    skipped.mode = why(shown, "the file system does not keep it");
  }
  if (skipped.owner || is_owner(status, metadata)) return;
  skipped.owner = true;
  if (S_ISREG(status.st_mode) && (status.st_mode & k_set_id_bits) != 0) {
    note_result(::fchmod(fd, mode & ~k_set_id_bits), skipped.mode, "set the mode of", shown);
  }
}

void set_time(int fd, Time mtime, const std::string& shown, SkippedMetadata& skipped) {
  struct timespec times[2] = {{0, UTIME_OMIT}, to_timespec(mtime)};
  note_result(::futimens(fd, times), skipped.times, "set the times of", shown);
}

}  // namespace

SkippedMetadata apply_time(int fd, Time mtime, const std::string& shown) {
  SkippedMetadata skipped;
  set_time(fd, mtime, shown, skipped);
  return skipped;
}

SkippedMetadata apply_metadata(int fd, const Metadata& metadata, const std::string& shown) {
  SkippedMetadata skipped;
  const auto give = [&] {
    skipped.owner = !set_owner(
        metadata, [fd](uid_t uid, gid_t gid) { return ::fchown(fd, uid, gid); }, shown);
  };
  const bool owner_last = gives_away_for_good(metadata.uid);
  if (!owner_last) give();
  if (!metadata.xattrs.empty()) let_owner_write(fd);
  set_xattrs(
      metadata.xattrs,
      [fd](const Xattr& x) { return ::fsetxattr(fd, x.name.c_str(), x.value.data(), x.value.size(), 0); }, shown,
      skipped);
  std::uint32_t mode = metadata.mode & 07777U;
  struct stat status {};
  if ((skipped.owner || owner_last) && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) mode &= ~k_set_id_bits;
  note_result(::fchmod(fd, mode), skipped.mode, "set the mode of", shown);
  set_time(fd, metadata.mtime, shown, skipped);
  if (owner_last) give();
  note_forgotten(fd, metadata, mode, shown, skipped);
  return skipped;
}

SkippedMetadata apply_metadata_at(int directory, const std::string& name, EntryType type, const Metadata& metadata,
                                  const std::string& shown) {
  SkippedMetadata skipped;
  const auto give = [&] {
    skipped.owner = !set_owner(
        metadata,
        [&](uid_t uid, gid_t gid) { return ::fchownat(directory, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW); },
        shown);
  };
  const bool owner_last = gives_away_for_good(metadata.uid);
  if (!owner_last) give();
  // There is no lsetxattrat() before Linux 6.13.
  const std::string path = fmt::format("/proc/self/fd/{}/{}", directory, name);
  set_xattrs(
      metadata.xattrs,
      [&](const Xattr& x) { return ::lsetxattr(path.c_str(), x.name.c_str(), x.value.data(), x.value.size(), 0); },
      shown, skipped);
  // The name is our own in a private directory, and no link: following it goes nowhere else.
  if (type != EntryType::symlink) {
    note_result(::fchmodat(directory, name.c_str(), metadata.mode & 07777U, 0), skipped.mode, "set the mode of", shown);
  }
  struct timespec times[2] = {{0, UTIME_OMIT}, to_timespec(metadata.mtime)};
  note_result(::utimensat(directory, name.c_str(), times, AT_SYMLINK_NOFOLLOW), skipped.times, "set the times of",
              shown);
  if (owner_last) give();
  return skipped;
}

void remove_other_xattrs(int fd, const std::vector<Xattr>& keep) {
  remove_xattrs(fd, keep, [](const std::string& name) {
    return name.starts_with("user.") || name == k_access_acl || name == k_default_acl;
  });
}

void replace_xattrs(int fd, const std::vector<Xattr>& keep) {
  // A security module labels what it likes, and takes the label of nothing for none of its own.
  remove_xattrs(fd, keep, [](const std::string& name) { return name != "security.selinux" && !is_acl_of_xfs(name); });
}

void remove_acls(int fd) noexcept {
  ::fremovexattr(fd, k_access_acl);
  ::fremovexattr(fd, k_default_acl);
}

}  // namespace cairn
