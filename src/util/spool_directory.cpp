#include "util/spool_directory.hpp"

#include "util/time.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>

namespace cairn {

namespace {

constexpr std::string_view k_prefix = "cairn-spool-";
constexpr std::size_t k_random_length = 6;  // mkdtemp(3)

const fs::path& prepared(const fs::path& parent) {
  make_directories(parent, 0700);
  sweep_spools(parent);
  return parent;
}

bool lock(int directory) noexcept {
  return ::flock(directory, LOCK_EX | LOCK_NB) == 0;
}

// Ours by its name, its owner and its age.
bool is_left_behind(const fs::path& path, Time older_than) noexcept {
  const std::string name = path.filename().native();
  if (!name.starts_with(k_prefix) || name.size() != k_prefix.size() + k_random_length) return false;
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != ::geteuid()) return false;
  const Time changed{std::chrono::seconds{status.st_mtim.tv_sec} + std::chrono::nanoseconds{status.st_mtim.tv_nsec}};
  return changed < older_than;
}

}  // namespace

SpoolDirectory::SpoolDirectory(const fs::path& parent)
    : m_directory(prepared(parent), std::string{k_prefix}),
      m_lock(open_file(m_directory.path(), O_RDONLY | O_DIRECTORY)) {
  // Where the file system knows no locks nobody else gets one either, and nothing is swept.
  static_cast<void>(lock(m_lock.get()));
}

std::size_t sweep_spools(const fs::path& parent, std::chrono::nanoseconds age) {
  const Time older_than = std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now()) - age;
  std::size_t removed = 0;
  std::error_code failed;
  for (fs::directory_iterator at{parent, failed}, end; !failed && at != end; at.increment(failed)) {
    const fs::path path = at->path();
    if (!is_left_behind(path, older_than)) continue;
    const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!fd || !lock(fd.get())) continue;
    std::error_code left;
    fs::remove_all(path, left);
    if (!left) ++removed;
  }
  return removed;
}

}  // namespace cairn
