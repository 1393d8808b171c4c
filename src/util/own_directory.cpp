#include "util/own_directory.hpp"

#include "util/beneath.hpp"
#include "util/error.hpp"

#include <cerrno>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr mode_t k_private_mode = 0700;
constexpr mode_t k_marked_mode = k_private_mode | S_ISVTX;

}  // namespace

std::optional<FileId> id_of(int fd) noexcept {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return std::nullopt;
  return id_of(status);
}

std::optional<FileId> id_at(int directory, const std::string& name) noexcept {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return id_of(status);
}

bool is_own(int parent, uid_t owner) noexcept {
  if (owner == ::geteuid()) return true;
  try {
    // Exclusive creation opens the very file that it makes, whoever renames it a moment later.
    const std::string name = ".tmp-owner-" + random_name();
    const UniqueFd fd{::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!fd) return false;
    ::unlinkat(parent, name.c_str(), 0);
    struct stat status {};
    return ::fstat(fd.get(), &status) == 0 && status.st_uid == owner;
  } catch (const std::exception&) {
    return false;
  }
}

namespace {

// A file system without owners shows everything as somebody's.
bool is_nobodys(const fs::path& path, uid_t owner) noexcept {
  const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  return fd && is_own(fd.get(), owner);
}

}  // namespace

bool is_way_own(const fs::path& path) noexcept {
  if (::geteuid() != 0) return true;
  try {
    struct stat top {};
    if (::lstat("/", &top) != 0) return false;
    const fs::path named = fs::absolute(path).lexically_normal();
    for (const fs::path& way : {named, fs::weakly_canonical(named)}) {
      fs::path at;
      for (const fs::path& part : way) {
        at /= part;
        struct stat there {};
        if (::lstat(at.c_str(), &there) != 0 || there.st_uid == 0 || there.st_uid == top.st_uid) continue;
        if (!is_nobodys(at, there.st_uid)) return false;
      }
    }
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

int make_private(int directory) noexcept {
  return ::fchmod(directory, k_marked_mode) == 0 ? 0 : ::fchmod(directory, k_private_mode);
}

bool may_be_left(int parent, int directory) noexcept {
  struct stat above {};
  struct stat status {};
  if (::fstat(parent, &above) != 0 || ::fstat(directory, &status) != 0 || status.st_uid != ::geteuid()) return false;
  if ((status.st_mode & 07777U) == k_marked_mode) return true;
  const bool our_parent = above.st_uid == ::geteuid() || above.st_uid == 0;
  return our_parent && ((above.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (above.st_mode & S_ISVTX) != 0);
}

UniqueFd make_directory_at(int parent, const std::string& name, unsigned mode, const fs::path& shown) {
  const bool made = ::mkdirat(parent, name.c_str(), mode) == 0;
  if (!made && errno != EEXIST) throw_errno("create directory", shown.native(), errno);
  UniqueFd fd = open_beneath(parent, name, O_RDONLY | O_DIRECTORY);
  if (!fd && (errno == ENOTDIR || errno == ELOOP)) {
    throw Error(ErrorKind::failed,
                fmt::format("unable to create directory {}: something that is none is there", quote(shown.native())));
  }
  if (!fd) throw_errno("create directory", shown.native(), errno);
  struct stat there {};
  struct stat above {};
  if (::fstat(fd.get(), &there) != 0 || ::fstat(parent, &above) != 0) throw_errno("stat", shown.native(), errno);
  if (there.st_uid != 0 && there.st_uid != above.st_uid && !is_own(parent, there.st_uid)) {
    throw Error(ErrorKind::failed,
                fmt::format("unable to create directory {}: one of user {} came into being there meanwhile",
                            quote(shown.native()), there.st_uid));
  }
  // EINVAL: a file system that cannot fsync directories.
  if (made && ::fsync(parent) != 0 && errno != EINVAL) throw_errno("fsync", shown.parent_path().native(), errno);
  return fd;
}

namespace {

std::string below(const std::string& directory, const std::string& name) {
  return directory == "." ? name : directory + "/" + name;
}

// A directory that is left to remove: first its content, then (its directories are empty by then) itself.
struct ToRemove {
  std::string path;  // below the one to be emptied
  bool emptied = false;
};

class Remover {
 public:
  explicit Remover(int root) : m_root(root) {}

  int run() {
    m_todo.push_back({"."});
    while (!m_todo.empty()) {
      if (!std::exchange(m_todo.back().emptied, true)) {
        empty(m_todo.back().path);
        continue;
      }
      const std::string path = std::move(m_todo.back().path);
      m_todo.pop_back();
      if (path != ".") remove_directory(path);
    }
    return m_error;
  }

 private:
  void note(int error) {
    if (m_error == 0) m_error = error;
  }
  // By value: it lies in what grows.
  void empty(const std::string path) {  // NOLINT(performance-unnecessary-value-param)
    const UniqueFd fd = open_beneath(m_root, path, O_RDONLY | O_DIRECTORY);
    if (!fd) return note(errno);
    std::vector<std::string> names;
    if (const int error = read_directory(fd.get(), names)) note(error);
    for (const auto& name : names) {
      if (::unlinkat(fd.get(), name.c_str(), 0) == 0 || errno == ENOENT) continue;
      const int error = errno;
      struct stat status {};
      const bool directory =
          ::fstatat(fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
      if (!directory) {
        note(error);
      } else {
        m_todo.push_back({below(path, name)});
      }
    }
  }
  void remove_directory(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string above = slash == std::string::npos ? "." : path.substr(0, slash);
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    const UniqueFd fd = open_beneath(m_root, above, O_PATH | O_DIRECTORY);
    if (!fd || ::unlinkat(fd.get(), name.c_str(), AT_REMOVEDIR) != 0) note(errno);
  }

  int m_root;
  int m_error = 0;
  std::vector<ToRemove> m_todo;
};

}  // namespace

int remove_contents(int directory) {
  return Remover{directory}.run();
}

int remove_directory_at(int parent, const std::string& name, int directory) {
  const int error = remove_contents(directory);
  const auto own = id_of(directory);
  if (!own || id_at(parent, name) != own) return error != 0 ? error : ENOENT;
  const int result = ::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 ? 0 : errno;
  return error != 0 ? error : result;
}

int rename_new_at(int from_directory, const std::string& from, int to_directory, const std::string& to) noexcept {
  const int result = ::renameat2(from_directory, from.c_str(), to_directory, to.c_str(), RENAME_NOREPLACE);
  if (result == 0 || (errno != EINVAL && errno != ENOSYS)) return result;
  struct stat status {};
  if (::fstatat(to_directory, to.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    errno = EEXIST;
    return -1;
  }
  return ::renameat(from_directory, from.c_str(), to_directory, to.c_str());
}

}  // namespace cairn
