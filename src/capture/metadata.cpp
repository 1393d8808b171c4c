#include "capture/metadata.hpp"

#include "util/accounts.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

namespace cairn {

namespace {

Time to_time(const struct timespec& at) noexcept {
  constexpr std::int64_t k_second = 1'000'000'000;
  constexpr std::int64_t k_last_second = INT64_MAX / k_second - 1;
  const std::int64_t seconds = std::clamp<std::int64_t>(at.tv_sec, -k_last_second, k_last_second);
  return Time{Nanoseconds{seconds * k_second + at.tv_nsec}};
}

EntryType to_type(mode_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return EntryType::directory;
    case S_IFLNK:
      return EntryType::symlink;
    case S_IFIFO:
      return EntryType::fifo;
    case S_IFSOCK:
      return EntryType::socket;
    case S_IFCHR:
      return EntryType::char_device;
    case S_IFBLK:
      return EntryType::block_device;
    default:
      return EntryType::file;
  }
}

// Reads a value whose size may change between asking for it and reading it. call(buffer, size) is one of the
// f/l-listxattr and -getxattr calls; negative is the errno.
template <class Call>
std::pair<std::string, int> read_growing(Call call) {
  std::string value;
  for (;;) {
    const ssize_t need = call(nullptr, 0);
    if (need < 0) return {{}, errno};
    if (need == 0) return {{}, 0};
    value.resize(static_cast<std::size_t>(need));
    const ssize_t got = call(value.data(), value.size());
    if (got >= 0) {
      value.resize(static_cast<std::size_t>(got));
      return {std::move(value), 0};
    }
    if (errno != ERANGE) return {{}, errno};
  }
}

template <class List, class Get>
std::vector<Xattr> read_all(List list, Get get, std::string_view shown) {
  const auto [listed, error] = read_growing(list);
  std::vector<Xattr> xattrs;
  if (error != 0) {
    if (error == ENOTSUP) return xattrs;
    throw_source_errno("list the extended attributes of", shown, error);
  }
  for (std::string& name : xattr_names(listed)) {
    auto [value, get_error] =
        read_growing([&](char* buffer, std::size_t size) { return get(name.c_str(), buffer, size); });
    if (get_error == ENODATA || get_error == ENOTSUP) continue;
    if (get_error != 0) {
      throw_source_errno(fmt::format("read extended attribute {} of", quote(name)), shown, get_error);
    }
    xattrs.push_back({std::move(name), std::move(value)});
  }
  return xattrs;
}

}  // namespace

std::string OwnerNames::user(std::uint32_t uid) {
  const std::lock_guard lock{m_mutex};
  const auto [at, is_new] = m_users.try_emplace(uid);
  if (is_new) at->second = user_name(uid).value_or("");
  return at->second;
}

std::string OwnerNames::group(std::uint32_t gid) {
  const std::lock_guard lock{m_mutex};
  const auto [at, is_new] = m_groups.try_emplace(gid);
  if (is_new) at->second = group_name(gid).value_or("");
  return at->second;
}

void apply_status(Entry& entry, const struct stat& status, OwnerNames& names) {
  entry.type = to_type(status.st_mode);
  entry.mode = status.st_mode & 07777U;
  entry.uid = status.st_uid;
  entry.gid = status.st_gid;
  entry.user = names.user(status.st_uid);
  entry.group = names.group(status.st_gid);
  entry.mtime = to_time(status.st_mtim);
  entry.ctime = to_time(status.st_ctim);
  entry.inode = status.st_ino;
  entry.size = entry.type == EntryType::file ? static_cast<std::uint64_t>(status.st_size) : 0;
  const bool device = entry.type == EntryType::char_device || entry.type == EntryType::block_device;
  entry.device_major = device ? major(status.st_rdev) : 0;
  entry.device_minor = device ? minor(status.st_rdev) : 0;
}

bool is_acl_of_xfs(std::string_view name) noexcept {
  return name == "trusted.SGI_ACL_FILE" || name == "trusted.SGI_ACL_DEFAULT";
}

std::vector<std::string> xattr_names(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find('\0'));
    list.remove_prefix(std::min(name.size() + 1, list.size()));
    if (!name.empty() && !is_acl_of_xfs(name)) names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<Xattr> read_xattrs(int fd, std::string_view shown) {
  return read_all([&](char* buffer, std::size_t size) { return ::flistxattr(fd, buffer, size); },
                  [&](const char* name, char* buffer, std::size_t size) { return ::fgetxattr(fd, name, buffer, size); },
                  shown);
}

std::vector<Xattr> read_xattrs_at(int directory, const std::string& name, const std::string& shown) {
  static const bool has_proc = ::access("/proc/self/fd", X_OK) == 0;
  const std::string path = has_proc ? fmt::format("/proc/self/fd/{}/{}", directory, name) : shown;
  const char* const text = path.c_str();
  return read_all([&](char* buffer, std::size_t size) { return ::llistxattr(text, buffer, size); },
                  [&](const char* key, char* buffer, std::size_t size) { return ::lgetxattr(text, key, buffer, size); },
                  shown);
}

std::string read_link_at(int directory, const std::string& name, std::string_view shown) {
  std::string target(256, '\0');
  for (;;) {
    const ssize_t n = ::readlinkat(directory, name.c_str(), target.data(), target.size());
    if (n < 0) throw_source_errno("read symbolic link", shown, errno);
    if (static_cast<std::size_t>(n) < target.size()) {
      target.resize(static_cast<std::size_t>(n));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

void throw_source_errno(std::string_view verb, std::string_view path, int error_number) {
  throw SourceError(error_number == ENOENT ? ErrorKind::not_found : ErrorKind::failed,
                    fmt::format("unable to {} {}: {}", verb, quote(path), errno_text(error_number)));
}

}  // namespace cairn
