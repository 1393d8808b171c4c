#include "util/exposed_file.hpp"

#include "util/error.hpp"

#include <array>
#include <deque>
#include <linux/magic.h>
#include <unistd.h>

#include <climits>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

namespace cairn {

namespace {

constexpr int k_most_links = 40;  // as the kernel

bool is_read_only(const fs::path& path) {
  struct statvfs status {};
  return ::statvfs(path.c_str(), &status) == 0 && (status.f_flag & ST_RDONLY) != 0;
}

bool is_in_proc(const fs::path& path) {
  struct statfs status {};
  return ::statfs(path.c_str(), &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

std::optional<std::string> exposure(const fs::path& path, const struct stat& status, uid_t trusted) {
  const bool link = S_ISLNK(status.st_mode);
  std::string cause;
  if (status.st_uid != 0 && status.st_uid != trusted) {
    cause = fmt::format("belongs to user {}", status.st_uid);
  } else if (const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0; !link && !sticky) {
    if ((status.st_mode & S_IWOTH) != 0) cause = "can be written by everybody";
    if (cause.empty() && (status.st_mode & S_IWGRP) != 0) {
      cause = fmt::format("can be written by group {}", status.st_gid);
    }
  }
  // A link's own path would be followed.
  if (cause.empty() || is_read_only(link ? path.parent_path() : path)) return std::nullopt;
  return fmt::format("{} {}", quote(path.native()), cause);
}

std::string target_of(const fs::path& link) {
  std::array<char, PATH_MAX> buffer;
  const ssize_t n = ::readlink(link.c_str(), buffer.data(), buffer.size());
  return n <= 0 ? std::string{} : std::string{buffer.data(), static_cast<std::size_t>(n)};
}

void prepend(std::deque<std::string>& names, const fs::path& path) {
  std::deque<std::string> parts;
  for (const auto& part : path.relative_path()) parts.push_back(part.native());
  names.insert(names.begin(), parts.begin(), parts.end());
}

}  // namespace

std::optional<std::string> who_else_changes(const fs::path& file, uid_t trusted) {
  std::error_code failure;
  const fs::path absolute = fs::absolute(file, failure);
  if (failure) return std::nullopt;
  std::deque<std::string> names;
  prepend(names, absolute);
  fs::path at = "/";
  int links = 0;
  struct stat status {};
  if (::lstat(at.c_str(), &status) == 0) {
    if (auto found = exposure(at, status, trusted)) return found;
  }
  while (!names.empty()) {
    const std::string name = std::move(names.front());
    names.pop_front();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      at = at.parent_path();
      continue;
    }
    const fs::path next = at / name;
    if (::lstat(next.c_str(), &status) != 0) return std::nullopt;
    // The files that its links lead to were opened by whoever started this program.
    if (is_in_proc(at)) return std::nullopt;
    if (S_ISCHR(status.st_mode)) return std::nullopt;
    if (auto found = exposure(next, status, trusted)) return found;
    if (!S_ISLNK(status.st_mode)) {
      at = next;
      continue;
    }
    const fs::path target = target_of(next);
    if (target.empty() || ++links > k_most_links) return std::nullopt;
    if (target.is_absolute()) at = "/";
    prepend(names, target);
  }
  return std::nullopt;
}

}  // namespace cairn
