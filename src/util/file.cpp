#include "util/file.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <system_error>

namespace cairn {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    m_fd = other.release();
  }
  return *this;
}

int UniqueFd::release() noexcept {
  const int fd = m_fd;
  m_fd = -1;
  return fd;
}

void UniqueFd::reset() noexcept {
  if (m_fd >= 0) ::close(m_fd);
  m_fd = -1;
}

namespace {

// The kernel copies what is still in a processor's nearest caches at several times the speed, and finds small pieces of
// memory for its own cache where it would have to search for large ones.
constexpr std::size_t k_write_size = 64 << 10;

int open_retrying(const fs::path& path, int flags, unsigned mode) noexcept {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

}  // namespace

UniqueFd open_file(const fs::path& path, int flags, unsigned mode) {
  UniqueFd fd{open_retrying(path, flags, mode)};
  if (!fd) throw_errno((flags & O_CREAT) != 0 ? "create" : "open", path.native(), errno);
  return fd;
}

std::optional<UniqueFd> open_file_if_exists(const fs::path& path, int flags) {
  UniqueFd fd{open_retrying(path, flags, 0)};
  if (fd) return fd;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw_errno("open", path.native(), errno);
}

std::size_t read_at(int fd, ByteSpan out, std::uint64_t offset, const fs::path& path) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0) {
      if (errno == EINTR) continue;
      throw_errno("read", path.native(), errno);
    }
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

std::size_t read_some(int fd, ByteSpan out, const fs::path& path) {
  for (;;) {
    const ssize_t n = ::read(fd, out.data(), out.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw_errno("read", path.native(), errno);
  }
}

void write_all(int fd, ByteView bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), std::min(bytes.size(), k_write_size));
    if (n < 0) {
      if (errno == EINTR) continue;
      throw_errno("write", path.native(), errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void write_at(int fd, ByteView bytes, std::uint64_t offset, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), std::min(bytes.size(), k_write_size), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      throw_errno("write", path.native(), errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

std::optional<Bytes> read_file_if_exists(const fs::path& path, std::uint64_t limit) {
  const auto fd = open_file_if_exists(path, O_RDONLY);
  if (!fd) return std::nullopt;
  struct stat st {};
  if (::fstat(fd->get(), &st) != 0) throw_errno("stat", path.native(), errno);
  // The size is a first guess only: files below /proc say 0, and a file may grow.
  Bytes out;
  std::size_t want = st.st_size > 0 ? static_cast<std::size_t>(st.st_size) + 1 : 65536;
  for (;;) {
    if (want > limit + 1 && limit != UINT64_MAX) want = static_cast<std::size_t>(limit + 1);
    const std::size_t have = out.size();
    out.resize(want);
    std::size_t done = have;
    while (done < want) {
      const std::size_t n = read_some(fd->get(), ByteSpan{out}.subspan(done), path);
      if (n == 0) {
        out.resize(done);
        return out;
      }
      done += n;
    }
    if (want > limit) {
      throw Error(ErrorKind::failed,
                  fmt::format("unable to read {}: larger than {} bytes", quote(path.native()), limit));
    }
    want *= 2;
  }
}

Bytes read_file(const fs::path& path, std::uint64_t limit) {
  auto bytes = read_file_if_exists(path, limit);
  if (!bytes) throw_errno("open", path.native(), ENOENT);
  return std::move(*bytes);
}

void sync_file(int fd, const fs::path& path) {
  if (::fsync(fd) != 0) throw_errno("fsync", path.native(), errno);
}

void sync_directory(const fs::path& directory) {
  const fs::path path = directory.empty() ? fs::path{"."} : directory;
  const UniqueFd fd = open_file(path, O_RDONLY | O_DIRECTORY);
  // Some file systems cannot fsync a directory and say EINVAL; there is nothing better to be done on those.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) throw_errno("fsync", path.native(), errno);
}

void make_directories(const fs::path& directory, unsigned mode) {
  if (directory.empty()) return;
  if (::mkdir(directory.c_str(), mode) == 0) {
    sync_directory(directory.parent_path());
    return;
  }
  if (errno == EEXIST) {
    struct stat st {};
    if (::stat(directory.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return;
    throw_errno("create directory", directory.native(), EEXIST);
  }
  if (errno != ENOENT || !directory.has_parent_path() || directory.parent_path() == directory) {
    throw_errno("create directory", directory.native(), errno);
  }
  make_directories(directory.parent_path(), mode);
  if (::mkdir(directory.c_str(), mode) != 0 && errno != EEXIST) {
    throw_errno("create directory", directory.native(), errno);
  }
  sync_directory(directory.parent_path());
}

AtomicFile::AtomicFile(fs::path path, unsigned mode)
    : m_path(std::move(path)),
      m_temporary(m_path.parent_path() / (".tmp-" + random_name())),
      m_fd(open_file(m_temporary, O_RDWR | O_CREAT | O_EXCL, mode)) {}

AtomicFile::~AtomicFile() {
  if (m_fd) ::unlink(m_temporary.c_str());
}

void AtomicFile::write(ByteView bytes) {
  write_all(m_fd.get(), bytes, m_path);
}

bool AtomicFile::commit(Replace replace) {
  sync_file(m_fd.get(), m_path);
  if (::close(m_fd.release()) != 0) {
    const int error = errno;
    ::unlink(m_temporary.c_str());
    throw_errno("close", m_path.native(), error);
  }
  if (replace == Replace::yes) {
    if (::rename(m_temporary.c_str(), m_path.c_str()) != 0) {
      const int error = errno;
      ::unlink(m_temporary.c_str());
      throw_errno("create", m_path.native(), error);
    }
  } else {
    const int result = ::link(m_temporary.c_str(), m_path.c_str());
    const int error = errno;
    ::unlink(m_temporary.c_str());
    if (result != 0) {
      if (error == EEXIST) return false;
      throw_errno("create", m_path.native(), error);
    }
  }
  sync_directory(m_path.parent_path());
  return true;
}

void write_file_atomic(const fs::path& path, ByteView bytes, unsigned mode) {
  AtomicFile file{path, mode};
  file.write(bytes);
  file.commit();
}

fs::path temporary_directory() {
  const char* const named = std::getenv("TMPDIR");
  const bool given = named != nullptr && *named != '\0';
  fs::path path = given ? named : "/tmp";
  std::error_code failed;
  if (fs::is_directory(path, failed)) return path;
  throw Error(ErrorKind::failed,
              fmt::format("unable to use {} for temporary files{}: {}", quote(path.native()),
                          given ? ", as TMPDIR says" : "", errno_text(failed ? failed.value() : ENOTDIR)),
              "set TMPDIR, or spool_dir in the configuration, to a directory");
}

TemporaryDirectory::TemporaryDirectory(const fs::path& parent, const std::string& prefix) {
  std::string name = (parent / (prefix + "XXXXXX")).native();
  if (::mkdtemp(name.data()) == nullptr) throw_errno("create directory", name, errno);
  m_path = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(m_path, ignored);
}

UniqueFd open_nameless_file(const fs::path& directory) {
  UniqueFd fd{::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (fd) return fd;
  // Not on every file system. By descriptor, so that it is removed where it was made, whoever renames what lies above
  // it.
  const UniqueFd parent = open_file(directory, O_PATH | O_DIRECTORY);
  const std::string name = ".tmp-" + random_name();
  fd = UniqueFd{::openat(parent.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (!fd) throw_errno("create", (directory / name).native(), errno);
  ::unlinkat(parent.get(), name.c_str(), 0);
  return fd;
}

std::uint64_t free_space(const fs::path& path) {
  struct statvfs st {};
  if (::statvfs(path.c_str(), &st) != 0) throw_errno("get the free space of", path.native(), errno);
  return static_cast<std::uint64_t>(st.f_bavail) * static_cast<std::uint64_t>(st.f_frsize);
}

std::string random_name(std::size_t bytes) {
  return to_hex(random_bytes(bytes));
}

}  // namespace cairn
