#include "capture/sqlite/directories.hpp"

#include "capture/sqlite/companions.hpp"
#include "util/beneath.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <sqlite3.h>
#include <sys/mman.h>

namespace cairn::sqlite {

namespace {

constexpr int k_always = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;

// An empty file is left alone: after a cut to nothing ext4 writes a file out when it is closed.
bool cut_to_nothing(int fd) noexcept {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  return status.st_size == 0 || ::ftruncate(fd, 0) == 0;
}

}  // namespace

LiveDirectory::LiveDirectory(UniqueFd directory, std::string database, FileId file)
    : m_directory(std::move(directory)), m_database(std::move(database)), m_file(file) {}

bool LiveDirectory::is_acceptable(const std::string& name, const struct stat& status) const noexcept {
  if (!S_ISREG(status.st_mode)) return false;
  if (name == m_database) return id_of(status) == m_file && (!m_writes || status.st_nlink == 1);
  return status.st_nlink == 1 && id_of(status) != m_file;
}

int LiveDirectory::open(const std::string& name, int flags, unsigned mode) noexcept {
  struct stat before {};
  // Opening alone can do something to what is no regular file.
  if (::fstatat(m_directory.get(), name.c_str(), &before, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!is_acceptable(name, before)) {
      errno = EACCES;
      return -1;
    }
  } else if (errno != ENOENT || name == m_database) {
    return -1;
  }
  UniqueFd fd{retry_interrupted([&] { return ::openat(m_directory.get(), name.c_str(), flags | k_always, mode); })};
  if (!fd) return -1;
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !is_acceptable(name, status)) {
    m_refused.push_back(std::move(fd));
    errno = EACCES;
    return -1;
  }
  if (name == m_database) m_database_fd = fd.get();
  if (name == beside(k_log)) m_log_fd = fd.get();
  return fd.release();
}

bool LiveDirectory::status(const std::string& name, struct stat& out) noexcept {
  return ::fstatat(m_directory.get(), name.c_str(), &out, AT_SYMLINK_NOFOLLOW) == 0;
}

bool LiveDirectory::may(const std::string& name, int access) noexcept {
  return ::faccessat(m_directory.get(), name.c_str(), access, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0;
}

bool LiveDirectory::remove(const std::string& name) noexcept {
  if (m_writes && name == beside(k_journal)) return ::unlinkat(m_directory.get(), name.c_str(), 0) == 0;
  errno = EPERM;
  return false;
}

int LiveDirectory::directory_to_sync() const noexcept {
  return m_writes ? ::fcntl(m_directory.get(), F_DUPFD_CLOEXEC, 3) : -1;
}

bool LiveDirectory::sync() const noexcept {
  return ::fsync(m_directory.get()) == 0;
}

bool LiveDirectory::may_add_files() const noexcept {
  return ::faccessat(m_directory.get(), ".", W_OK | X_OK, AT_EACCESS) == 0;
}

gid_t LiveDirectory::group_of_new_files() const noexcept {
  struct stat status {};
  const bool inherited = ::fstat(m_directory.get(), &status) == 0 && (status.st_mode & S_ISGID) != 0;
  return inherited ? status.st_gid : ::getegid();
}

int CopyDirectory::open(const std::string& name, int flags, unsigned) noexcept {
  auto at = m_files.find(name);
  if (at == m_files.end()) {
    if ((flags & O_CREAT) == 0) {
      errno = ENOENT;
      return -1;
    }
    const int made = m_make();
    if (made < 0) return -1;
    at = m_files.emplace(name, UniqueFd{made}).first;
  }
  if ((flags & O_TRUNC) != 0 && !cut_to_nothing(at->second.get())) return -1;
  return ::fcntl(at->second.get(), F_DUPFD_CLOEXEC, 3);
}

bool CopyDirectory::status(const std::string& name, struct stat& out) noexcept {
  const auto at = m_files.find(name);
  if (at == m_files.end()) {
    errno = ENOENT;
    return false;
  }
  return ::fstat(at->second.get(), &out) == 0;
}

bool CopyDirectory::may(const std::string& name, int) noexcept {
  struct stat ignored {};
  return status(name, ignored);
}

bool CopyDirectory::remove(const std::string& name) noexcept {
  if (m_files.erase(name) != 0) return true;
  errno = ENOENT;
  return false;
}

int GivenFile::open(const std::string& name, int flags, unsigned) noexcept {
  if (name == m_name && (flags & O_ACCMODE) == O_RDONLY) return ::fcntl(m_file.get(), F_DUPFD_CLOEXEC, 3);
  errno = name == m_name ? EROFS : ENOENT;
  return -1;
}

bool GivenFile::status(const std::string& name, struct stat& out) noexcept {
  if (name == m_name) return ::fstat(m_file.get(), &out) == 0;
  errno = ENOENT;
  return false;
}

bool GivenFile::may(const std::string& name, int access) noexcept {
  if (name == m_name && (access & W_OK) == 0) return true;
  errno = name == m_name ? EROFS : ENOENT;
  return false;
}

bool GivenFile::remove(const std::string&) noexcept {
  errno = EROFS;
  return false;
}

namespace {

constexpr std::uint64_t k_told_at_once = 1 << 20;

// Of SQLite's system calls, which have no argument of ours.
struct Watched {
  const std::function<void(std::uint64_t)>* told = nullptr;
  std::uint64_t bytes = 0;
};
Watched watched;

ssize_t count_read(ssize_t got) noexcept {
  if (got <= 0 || watched.told == nullptr) return got;
  const int error = errno;
  watched.bytes += static_cast<std::uint64_t>(got);
  if (watched.bytes >= k_told_at_once) (*watched.told)(std::exchange(watched.bytes, 0));
  errno = error;
  return got;
}

ssize_t sqlite_read(int fd, void* out, std::size_t size) {
  return count_read(::read(fd, out, size));
}

ssize_t sqlite_pread(int fd, void* out, std::size_t size, off_t offset) {
  return count_read(::pread(fd, out, size, offset));
}

}  // namespace

ReadWatch::ReadWatch(const std::function<void(std::uint64_t)>& told) noexcept {
  watched = {&told, 0};
}

ReadWatch::~ReadWatch() {
  watched = {};
}

namespace {

// SQLite's system calls have no argument of ours.
struct Places {
  Directory* live = nullptr;
  Directory* copies = nullptr;
};
Places places;

struct Name {
  Directory* directory = nullptr;
  std::string name;
};

Name resolve(const char* path) noexcept {
  const std::string_view text{path};
  Name found;
  const auto below = [&](std::string_view prefix, Directory* directory) {
    if (directory == nullptr || !text.starts_with(prefix)) return;
    const std::string_view rest = text.substr(prefix.size());
    if (rest.empty() || rest.find('/') != std::string_view::npos) return;
    found = {directory, std::string{rest}};
  };
  below(k_live_prefix, places.live);
  below("/copy/", places.copies);
  if (found.directory == nullptr) errno = EACCES;
  return found;
}

// A journal of a transaction over several databases names another file, which is there until all of them are committed
// (sqlite.org/atomiccommit.html, 5). SQLite asks for it by its path, reads which journals it lists, and removes it
// where none is left: here it learns the first and believes to have done the others.
bool is_super_journal(std::string_view path) noexcept {
  const auto slash = path.rfind('/');
  return path.starts_with('/') && path.find("-mj", slash) != std::string_view::npos;
}

int sqlite_open(const char* path, int flags, int mode) {
  if (is_super_journal(path)) return ::memfd_create("super-journal", MFD_CLOEXEC);
  const Name at = resolve(path);
  return at.directory == nullptr ? -1 : at.directory->open(at.name, flags, static_cast<unsigned>(mode));
}

int sqlite_status(const char* path, struct stat* out) {
  // The directories that lead there.
  if (std::strcmp(path, "/db") == 0 || std::strcmp(path, "/copy") == 0) {
    *out = {};
    out->st_mode = S_IFDIR | 0700;
    return 0;
  }
  if (is_super_journal(path)) {
    if (::lstat(path, out) != 0 && (errno == ENOENT || errno == ENOTDIR)) return -1;
    // Whether it is there cannot be seen: not committed is the state that is one for certain.
    *out = {};
    out->st_mode = S_IFREG | 0600;
    out->st_size = 1;
    return 0;
  }
  const Name at = resolve(path);
  return at.directory != nullptr && at.directory->status(at.name, *out) ? 0 : -1;
}

int sqlite_access(const char* path, int mode) {
  const Name at = resolve(path);
  return at.directory != nullptr && at.directory->may(at.name, mode) ? 0 : -1;
}

int sqlite_unlink(const char* path) {
  if (is_super_journal(path)) return 0;
  const Name at = resolve(path);
  return at.directory != nullptr && at.directory->remove(at.name) ? 0 : -1;
}

ssize_t sqlite_readlink(const char*, char*, size_t) {
  errno = EINVAL;  // no name is followed
  return -1;
}

char* sqlite_getcwd(char*, size_t) {
  errno = EACCES;
  return nullptr;
}

int sqlite_fchown(int, uid_t, gid_t) {
  return 0;  // files stay whose they are
}

int sqlite_open_directory(const char* path, int* fd) {
  const auto* const live = dynamic_cast<LiveDirectory*>(resolve(path).directory);
  *fd = live == nullptr ? -1 : live->directory_to_sync();
  // Where nobody changes anything, SQLite goes on without.
  return *fd < 0 ? SQLITE_CANTOPEN : SQLITE_OK;
}

int sqlite_mkdir(const char*, mode_t) {
  errno = EPERM;
  return -1;
}

int sqlite_rmdir(const char*) {
  errno = EPERM;
  return -1;
}

template <class Call>
void replace(sqlite3_vfs* vfs, const char* name, Call* call) {
  if (vfs->xSetSystemCall(vfs, name, reinterpret_cast<sqlite3_syscall_ptr>(call)) != SQLITE_OK) {
    throw Error(ErrorKind::failed, std::string{"unable to read databases: SQLite has no system call "} + name);
  }
}

void replace_system_calls() {
  sqlite3_initialize();
  sqlite3_vfs* const vfs = sqlite3_vfs_find("unix");
  if (vfs == nullptr || vfs->iVersion < 3)
    throw Error(ErrorKind::failed, "unable to read databases: SQLite has no VFS");
  replace(vfs, "open", sqlite_open);
  replace(vfs, "stat", sqlite_status);
  replace(vfs, "lstat", sqlite_status);
  replace(vfs, "access", sqlite_access);
  replace(vfs, "unlink", sqlite_unlink);
  replace(vfs, "readlink", sqlite_readlink);
  replace(vfs, "getcwd", sqlite_getcwd);
  replace(vfs, "fchown", sqlite_fchown);
  replace(vfs, "openDirectory", sqlite_open_directory);
  replace(vfs, "mkdir", sqlite_mkdir);
  replace(vfs, "rmdir", sqlite_rmdir);
  // It uses one of them, depending on how it was built.
  replace(vfs, "read", sqlite_read);
  replace(vfs, "pread", sqlite_pread);
  replace(vfs, "pread64", sqlite_pread);
}

}  // namespace

void give_directories_to_sqlite(Directory* live, Directory* copies) {
  static const bool replaced = (replace_system_calls(), true);
  static_cast<void>(replaced);
  places = {live, copies};
}

}  // namespace cairn::sqlite
