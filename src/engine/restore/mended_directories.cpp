#include "engine/restore/mended_directories.hpp"

#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr mode_t k_permissions = 07777;

// Of a directory that may not be opened for reading: what was opened with O_PATH knows no fchmod(2).
int change_mode(int directory, mode_t mode) noexcept {
  const UniqueFd readable = open_beneath(directory, ".", O_RDONLY | O_DIRECTORY);
  if (readable) return ::fchmod(readable.get(), mode);
  try {
    return ::chmod(fmt::format("/proc/self/fd/{}", directory).c_str(), mode);
  } catch (const std::exception&) {
    errno = ENOMEM;
    return -1;
  }
}

}  // namespace

MendedDirectories::~MendedDirectories() {
  put_back();
}

void MendedDirectories::mend(int root, const std::string& path, const FileId& id, const std::string& shown) {
  if (!m_root) m_root = UniqueFd{::fcntl(root, F_DUPFD_CLOEXEC, 0)};
  const UniqueFd directory = open_beneath(root, path, O_PATH | O_DIRECTORY);
  struct stat status {};
  if (!m_root || !directory || ::fstat(directory.get(), &status) != 0) throw_errno("open directory", shown, errno);
  if (id_of(status) != id) {
    throw Error(ErrorKind::failed,
                fmt::format("unable to restore to {}: something else took its place meanwhile", quote(shown)));
  }
  const mode_t mode = status.st_mode & k_permissions;
  // First, so that it is put back whatever fails from here on.
  m_mended.push_back({path, id, mode, shown});
  if (change_mode(directory.get(), mode | S_IRWXU) == 0) return;
  const int error = errno;
  m_mended.pop_back();
  throw_errno("set the mode of", shown, error);
}

void MendedDirectories::settle(const FileId& id) {
  m_mended.erase(
      std::remove_if(m_mended.begin(), m_mended.end(), [&](const Mended& mended) { return mended.id == id; }),
      m_mended.end());
}

void MendedDirectories::put_back_but(const std::function<bool(const std::string& path)>& keep) {
  std::vector<Mended> kept;
  for (auto mended = m_mended.rbegin(); mended != m_mended.rend(); ++mended) {
    if (keep(mended->path)) {
      kept.push_back(*mended);
    } else {
      put_back(*mended);
    }
  }
  std::reverse(kept.begin(), kept.end());
  m_mended = std::move(kept);
}

void MendedDirectories::put_back() noexcept {
  try {
    put_back_but([](const std::string&) { return false; });
  } catch (const std::exception&) {
    // Only for want of memory, which a warning would take, too.
    m_mended.clear();
  }
}

void MendedDirectories::put_back(const Mended& mended) {
  const UniqueFd directory = open_beneath(m_root.get(), mended.path, O_PATH | O_DIRECTORY);
  if (directory && id_of(directory.get()) == mended.id && change_mode(directory.get(), mended.mode) == 0) return;
  m_reporter.warning(fmt::format("unable to give directory {} its mode {:04o} back: {}", quote(mended.shown),
                                 mended.mode, directory ? errno_text(errno) : "it has gone"));
}

}  // namespace cairn
