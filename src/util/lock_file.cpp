#include "util/lock_file.hpp"

#include "util/error.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <utility>

#include <sys/file.h>

namespace cairn {

namespace {

constexpr unsigned k_directory_mode = 0700;
constexpr unsigned k_file_mode = 0600;

}  // namespace

LockFile::LockFile(fs::path path) : m_path(std::move(path)) {
  make_directories(m_path.parent_path(), k_directory_mode);
  m_fd = open_file(m_path, O_RDWR | O_CREAT | O_NOFOLLOW, k_file_mode);
}

bool LockFile::try_lock() {
  if (::flock(m_fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    throw_errno("lock", m_path.native(), errno);
  }
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(m_fd.get(), 0) != 0) throw_errno("write", m_path.native(), errno);
  write_at(m_fd.get(), as_bytes(text), 0, m_path);
  return true;
}

std::optional<pid_t> LockFile::holder() const {
  std::array<std::uint8_t, 32> buffer{};
  const std::size_t n = read_at(m_fd.get(), buffer, 0, m_path);
  const std::string text{as_text(ByteView{buffer}.first(n))};
  pid_t pid = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (result.ec != std::errc{} || pid <= 0) return std::nullopt;
  return pid;
}

}  // namespace cairn
