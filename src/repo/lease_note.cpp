#include "repo/lease_note.hpp"

#include "codec/digest.hpp"
#include "util/error.hpp"

#include <chrono>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr unsigned k_directory_mode = 0700;
constexpr unsigned k_file_mode = 0600;
constexpr std::uint64_t k_largest_note = 1U << 20;
// By this machine's clock, which may be set: far longer than a lease is respected.
constexpr std::chrono::hours k_old{24 * 7};

fs::path notes_of(const Cache& cache) {
  return cache.directory() / "leases";
}

bool is_old(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  const auto age = std::chrono::system_clock::now() - std::chrono::system_clock::from_time_t(status.st_mtime);
  return age > k_old;
}

std::string line_of(ByteView lease) {
  return sha256(lease).hex() + "\n";
}

}  // namespace

LeaseNote::LeaseNote(const Cache& cache) {
  if (cache.directory().empty()) return;
  try {
    make_directories(notes_of(cache), k_directory_mode);
    m_path = notes_of(cache) / random_name();
    m_fd = open_file(m_path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, k_file_mode);
    ::flock(m_fd.get(), LOCK_EX | LOCK_NB);
  } catch (const Error&) {
    m_fd.reset();
  }
}

void LeaseNote::forget() const {
  if (m_fd) ::unlink(m_path.c_str());
}

void LeaseNote::add(ByteView lease) {
  if (!m_fd) return;
  try {
    write_all(m_fd.get(), as_bytes(line_of(lease)), m_path);
  } catch (const Error&) {
    // Then the lease of a killed run has to run out; nothing more.
    return;
  }
}

std::optional<DeadHolder> DeadHolder::find(const Cache& cache, ByteView lease) {
  if (cache.directory().empty()) return std::nullopt;
  const std::string wanted = line_of(lease);
  std::error_code ignored;
  for (fs::directory_iterator at{notes_of(cache), ignored}, end; !ignored && at != end; at.increment(ignored)) {
    try {
      auto fd = open_file_if_exists(at->path(), O_RDONLY);
      if (!fd || ::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) continue;
      const auto bytes = read_file_if_exists(at->path(), k_largest_note);
      if (bytes && as_text(*bytes).find(wanted) != std::string_view::npos) {
        return DeadHolder{at->path(), std::move(*fd)};
      }
      if (is_old(fd->get())) ::unlink(at->path().c_str());
    } catch (const Error&) {
      continue;
    }
  }
  return std::nullopt;
}

void DeadHolder::forget() const {
  ::unlink(m_path.c_str());
}

}  // namespace cairn
