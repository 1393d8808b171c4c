#include "engine/restore/target_state.hpp"

#include "capture/metadata.hpp"
#include "capture/sqlite/companions.hpp"
#include "engine/restore/database_in_use.hpp"
#include "engine/restore/target_names.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <fcntl.h>

#include <sys/sysmacros.h>

namespace cairn {

namespace {

bool is_time(const struct timespec& at, Time time) noexcept {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return at.tv_sec == seconds.time_since_epoch().count() && at.tv_nsec == (time - seconds).count();
}

// The label of a security module is not the snapshot's to give, or to take away.
bool is_compared(const Xattr& xattr) noexcept {
  return xattr.name != "security.selinux" && !is_acl_of_xfs(xattr.name);
}

bool same_xattrs(const std::vector<Xattr>& a, const std::vector<Xattr>& b) {
  std::vector<Xattr> left;
  std::vector<Xattr> right;
  std::copy_if(a.begin(), a.end(), std::back_inserter(left), is_compared);
  std::copy_if(b.begin(), b.end(), std::back_inserter(right), is_compared);
  std::sort(left.begin(), left.end());
  std::sort(right.begin(), right.end());
  return left == right;
}

bool has_log(int directory, const std::string& name) {
  const bool any = std::any_of(sqlite::k_companions.begin(), sqlite::k_companions.end(), [&](const char* suffix) {
    return sqlite::status_beside(directory, name, suffix).has_value();
  });
  if (!any) return false;
  // An encrypted database has no magic, but its log has.
  return is_sqlite_file(directory, name) ||
         std::any_of(sqlite::k_logs.begin(), sqlite::k_logs.end(),
                     [&](const char* suffix) { return is_sqlite_log_file(directory, name + suffix); });
}

bool has_log_bytes(int directory, const std::string& name) {
  return std::any_of(sqlite::k_logs.begin(), sqlite::k_logs.end(), [&](const char* suffix) {
    const auto log = sqlite::status_beside(directory, name, suffix);
    return log && log->st_size != 0;
  });
}

}  // namespace

TargetState::TargetState(const RestoreTarget& target) : m_target(target), m_open(target.directory()) {}

std::string TargetState::path_of(const Entry& entry) const {
  return m_target.shape() == RestoreTarget::Shape::single_file ? m_target.name() : entry.path;
}

std::optional<EntryState> TargetState::look(const Entry& entry) {
  const std::string path = path_of(entry);
  const std::string shown = m_target.shape() == RestoreTarget::Shape::single_file
                                ? m_target.path().native()
                                : (m_target.path() / entry.path).native();
  const SplitPath at = split_path(path);
  const auto parent = m_open.open(at.parent);
  if (!parent) return std::nullopt;
  EntryState state;
  struct stat& status = state.status;
  if (::fstatat(parent->get(), at.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  state.same_kind = (status.st_mode & S_IFMT) == file_type(entry.type);
  if (!state.same_kind) return state;
  const bool device = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
  // A file that cannot be read differs.
  const auto failure = any_failure_of([&] {
    if (device) state.same_kind = status.st_rdev == makedev(entry.device_major, entry.device_minor);
    if (S_ISLNK(status.st_mode)) state.same_kind = read_link_at(parent->get(), at.name, shown) == entry.link_target;
    const bool same_mode = S_ISLNK(status.st_mode) || (status.st_mode & 07777U) == (entry.mode & 07777U);
    state.same_metadata = same_mode && status.st_uid == entry.uid && status.st_gid == entry.gid &&
                          is_time(status.st_mtim, entry.mtime) &&
                          same_xattrs(read_xattrs_at(parent->get(), at.name, shown), entry.xattrs);
  });
  if (failure) state.same_metadata = false;
  if (S_ISREG(status.st_mode)) state.has_log = has_log(parent->get(), at.name);
  state.has_log_bytes = state.has_log && has_log_bytes(parent->get(), at.name);
  return state;
}

}  // namespace cairn
