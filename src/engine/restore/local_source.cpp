#include "engine/restore/local_source.hpp"

#include "util/beneath.hpp"
#include "util/bytes.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::size_t k_buffer = 1U << 20;
constexpr std::uint64_t k_at_a_time = 64ULL << 20;

// A range that the kernel cannot copy is read and written: it may be another file system, or one without the call.
void copy_by_hand(LocalRange from, WritePlace to) {
  Bytes buffer(static_cast<std::size_t>(std::min<std::uint64_t>(from.length, k_buffer)));
  while (from.length != 0) {
    check_interrupted();
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(from.length, k_buffer));
    const ByteSpan piece = ByteSpan{buffer}.first(size);
    if (read_there(from.source.fd(), piece, from.offset) != size) throw LocalChanged(from.source.file().shown());
    write_at(to.fd, piece, to.offset, to.shown);
    from.offset += size;
    to.offset += size;
    from.length -= size;
  }
}

}  // namespace

int LocalSource::fd() {
  const std::scoped_lock lock{m_mutex};
  if (m_fd) return m_fd.get();
  m_fd = open_for_capture(m_file.root->directory.get(), m_file.path);
  struct stat status {};
  if (!m_fd || ::fstat(m_fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || stamp_of(status) != m_file.stamp) {
    m_fd.reset();
    throw LocalChanged(m_file.shown());
  }
  return m_fd.get();
}

void LocalSource::check() {
  struct stat status {};
  if (::fstat(fd(), &status) != 0 || stamp_of(status) != m_file.stamp) throw LocalChanged(m_file.shown());
}

bool clone_file(int from, int to) noexcept {
  return ::ioctl(to, FICLONE, from) == 0;
}

bool can_clone(int directory) noexcept {
  constexpr const char* k_names[] = {".cairn-clone-from", ".cairn-clone-to"};
  UniqueFd files[2];
  constexpr std::uint8_t k_byte = 1;
  for (std::size_t i = 0; i < 2; ++i) {
    files[i] = UniqueFd{::openat(directory, k_names[i], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  }
  const bool can = files[0] && files[1] && ::pwrite(files[0].get(), &k_byte, 1, 0) == 1 &&
                   clone_file(files[0].get(), files[1].get());
  for (std::size_t i = 0; i < 2; ++i) {
    if (files[i]) ::unlinkat(directory, k_names[i], 0);
  }
  return can;
}

bool nobody_else_has(int fd) noexcept {
  // Whoever opened it in this moment would have the system send a signal, and SIGIO ends a process.
  if (::fcntl(fd, F_SETSIG, SIGURG) != 0) return false;
  const bool alone = ::fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
  if (alone) ::fcntl(fd, F_SETLEASE, F_UNLCK);
  return alone;
}

void copy_range(LocalRange from, WritePlace to) {
  while (from.length != 0) {
    check_interrupted();
    auto in = static_cast<off64_t>(from.offset);
    auto out = static_cast<off64_t>(to.offset);
    const auto wanted = static_cast<std::size_t>(std::min(from.length, k_at_a_time));
    const ssize_t n =
        retry_interrupted([&] { return ::copy_file_range(from.source.fd(), &in, to.fd, &out, wanted, 0); });
    // An error may be one of either side, which reading and writing tell apart. At the end of the source some kernels
    // copy nothing from files that give their bytes all the same (/proc).
    if (n <= 0) {
      copy_by_hand(from, to);
      break;
    }
    from.offset += static_cast<std::uint64_t>(n);
    to.offset += static_cast<std::uint64_t>(n);
    from.length -= static_cast<std::uint64_t>(n);
  }
  from.source.check();
}

void copy_checked(LocalRange from, WritePlace to, const Digest& digest) {
  Bytes bytes(static_cast<std::size_t>(from.length));
  if (read_there(from.source.fd(), bytes, from.offset) != bytes.size() || sha256(bytes) != digest) {
    throw LocalChanged(from.source.file().shown());
  }
  write_at(to.fd, bytes, to.offset, to.shown);
}

void make_hole(int fd, std::uint64_t offset, std::uint64_t length, const std::string& shown) {
  if (length == 0) return;
  const int result = retry_interrupted([&] {
    return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
  });
  if (result == 0) return;
  if (errno != EOPNOTSUPP && errno != ENOSYS) throw_errno("write", shown, errno);
  const Bytes zeros(static_cast<std::size_t>(std::min<std::uint64_t>(length, k_buffer)));
  while (length != 0) {
    check_interrupted();
    const auto n = std::min<std::uint64_t>(length, k_buffer);
    write_at(fd, ByteView{zeros}.first(static_cast<std::size_t>(n)), offset, shown);
    offset += n;
    length -= n;
  }
}

}  // namespace cairn
