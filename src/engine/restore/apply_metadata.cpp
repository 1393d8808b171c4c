#include "engine/restore/apply_metadata.hpp"

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

template <class Set>
void set_xattrs(const std::vector<Xattr>& xattrs, Set set, const std::string& shown, SkippedMetadata& skipped) {
  for (const Xattr& xattr : xattrs) {
    if (set(xattr) == 0) continue;
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

// chown(uid, gid), else at least the group: a user may give a file to any group he is in.
template <class Chown>
bool set_owner(const Metadata& metadata, Chown chown, const std::string& shown) {
  if (chown(metadata.uid, metadata.gid) == 0) return true;
  if (errno != EPERM && errno != EINVAL && errno != ENOTSUP) throw_errno("set the owner of", shown, errno);
  static_cast<void>(chown(static_cast<uid_t>(-1), metadata.gid));
  return false;
}

}  // namespace

SkippedMetadata apply_metadata(int fd, const Metadata& metadata, const std::string& shown) {
  SkippedMetadata skipped;
  const auto give = [&] {
    skipped.owner = !set_owner(
        metadata, [fd](uid_t uid, gid_t gid) { return ::fchown(fd, uid, gid); }, shown);
  };
  const bool owner_last = gives_away_for_good(metadata.uid);
  if (!owner_last) give();
  set_xattrs(
      metadata.xattrs,
      [fd](const Xattr& x) { return ::fsetxattr(fd, x.name.c_str(), x.value.data(), x.value.size(), 0); }, shown,
      skipped);
  std::uint32_t mode = metadata.mode & 07777U;
  struct stat status {};
  if ((skipped.owner || owner_last) && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) mode &= ~k_set_id_bits;
  if (::fchmod(fd, mode) != 0) throw_errno("set the mode of", shown, errno);
  struct timespec times[2] = {{0, UTIME_OMIT}, to_timespec(metadata.mtime)};
  if (::futimens(fd, times) != 0) throw_errno("set the times of", shown, errno);
  if (owner_last) give();
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
  if (type != EntryType::symlink && ::fchmodat(directory, name.c_str(), metadata.mode & 07777U, 0) != 0) {
    throw_errno("set the mode of", shown, errno);
  }
  struct timespec times[2] = {{0, UTIME_OMIT}, to_timespec(metadata.mtime)};
  if (::utimensat(directory, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    throw_errno("set the times of", shown, errno);
  }
  if (owner_last) give();
  return skipped;
}

void remove_other_xattrs(int fd, const std::vector<Xattr>& keep) {
  std::string names(65536, '\0');  // the most that the kernel gives (XATTR_LIST_MAX)
  const ssize_t size = ::flistxattr(fd, names.data(), names.size());
  if (size <= 0) return;
  names.resize(static_cast<std::size_t>(size));
  for (std::size_t begin = 0; begin < names.size();) {
    const std::string name{names.c_str() + begin};
    begin += name.size() + 1;
    const bool ours = name.starts_with("user.") || name == k_access_acl || name == k_default_acl;
    const bool kept = std::any_of(keep.begin(), keep.end(), [&](const Xattr& xattr) { return xattr.name == name; });
    if (ours && !kept) ::fremovexattr(fd, name.c_str());
  }
}

void remove_acls(int fd) noexcept {
  ::fremovexattr(fd, k_access_acl);
  ::fremovexattr(fd, k_default_acl);
}

}  // namespace cairn
