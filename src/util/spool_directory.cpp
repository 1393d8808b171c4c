#include "util/spool_directory.hpp"

#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"
#include "util/time.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::string_view k_prefix = "cairn-spool-";
constexpr std::size_t k_random_length = 6;
constexpr mode_t k_mode = 0700;

// The files and directories in a spool have names that others may know.
const fs::path& prepared(const fs::path& parent) {
  if (!is_way_own(parent)) {
    throw Error(ErrorKind::failed,
                fmt::format("unable to use {} for temporary files: another user owns it, or something on the way to it",
                            quote(parent.native())),
                "set TMPDIR, or spool_dir in the configuration, to a directory of root's, or to /tmp");
  }
  make_directories(parent, 0700);
  sweep_spools(parent);
  return parent;
}

bool lock(int directory) noexcept {
  return ::flock(directory, LOCK_EX | LOCK_NB) == 0;
}

// Ours by its name, its owner and its age.
bool is_left_behind(int parent, const std::string& name, int directory, Time older_than) noexcept {
  if (!name.starts_with(k_prefix) || name.size() != k_prefix.size() + k_random_length) return false;
  struct stat status {};
  if (!may_be_left(parent, directory) || ::fstat(directory, &status) != 0) return false;
  const Time changed{std::chrono::seconds{status.st_mtim.tv_sec} + std::chrono::nanoseconds{status.st_mtim.tv_nsec}};
  return changed < older_than;
}

// Six characters, as mkdtemp(3) gives: what killed runs of before left is found, too.
std::string spool_name() {
  return std::string{k_prefix} + random_name(k_random_length / 2);
}

}  // namespace

// By descriptor from here on: where somebody else owns parent, what he renames is neither used nor removed.
SpoolDirectory::SpoolDirectory(const fs::path& parent) : m_parent(open_file(prepared(parent), O_PATH | O_DIRECTORY)) {
  std::string name = spool_name();
  while (::mkdirat(m_parent.get(), name.c_str(), k_mode) != 0) {
    if (errno != EEXIST) throw_errno("create directory", (parent / name).native(), errno);
    name = spool_name();
  }
  m_path = parent / name;
  m_directory = open_beneath(m_parent.get(), name, O_RDONLY | O_DIRECTORY);
  if (!m_directory) throw_errno("open", m_path.native(), errno);
  struct stat status {};
  if (::fstat(m_directory.get(), &status) != 0) throw_errno("stat", m_path.native(), errno);
  if (!is_own(m_parent.get(), status.st_uid)) {
    throw Error(ErrorKind::failed, fmt::format("unable to create {}: a directory of user {} took its place meanwhile",
                                               quote(m_path.native()), status.st_uid));
  }
  static_cast<void>(make_private(m_directory.get()));
  // Where the file system knows no locks nobody else gets one either, and nothing is swept.
  static_cast<void>(lock(m_directory.get()));
}

SpoolDirectory::~SpoolDirectory() {
  try {
    remove_directory_at(m_parent.get(), m_path.filename().native(), m_directory.get());
  } catch (const std::exception&) {
    return;  // swept by a later run
  }
}

std::size_t sweep_spools(const fs::path& parent, std::chrono::nanoseconds age) {
  const Time older_than = std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now()) - age;
  const UniqueFd above{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  std::vector<std::string> names;
  if (!above) return 0;
  read_directory(above.get(), names);
  std::size_t removed = 0;
  for (const std::string& name : names) {
    if (!name.starts_with(k_prefix)) continue;
    const UniqueFd fd = open_beneath(above.get(), name, O_RDONLY | O_DIRECTORY);
    if (!fd || !is_left_behind(above.get(), name, fd.get(), older_than)) continue;
    if (lock(fd.get()) && remove_directory_at(above.get(), name, fd.get()) == 0) ++removed;
  }
  return removed;
}

}  // namespace cairn
