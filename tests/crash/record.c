// Records what a program does to the files below a directory, in the order in which it does it, for a test that plays
// it again up to any point and drops what had not been made durable by then (tests/acceptance/power_cuts.py):
// LD_PRELOAD=record.so with RECORD_UNDER=DIRECTORY (absolute, no link in it) and RECORD_TO=FILE, which is appended to.
// The child that SQLite runs in inherits of the environment only what begins with LD_: it is recorded, too, with
// LD_RECORD_UNDER and LD_RECORD_TO.
//
// A line for each successful call, fields separated by spaces, inodes as numbers:
//   create PARENT INODE NAME | mkdir PARENT INODE NAME | unlink PARENT NAME | rmdir PARENT NAME
//   link PARENT INODE NAME | rename FROM-PARENT TO-PARENT INODE FROM-NAME TO-NAME
//   exchange FROM-PARENT TO-PARENT FROM-INODE TO-INODE FROM-NAME TO-NAME
//   write INODE OFFSET LENGTH, and then as many bytes and a newline | truncate INODE LENGTH | sync INODE | syncfs 0
// Calls are made and written down under one lock, so the order is true for all threads of a process. Not seen, because
// nobody here uses it for such files: memory maps, sendfile, stdio. The kernel copies nothing (copy_file_range) and makes
// no holes (fallocate): who is told so writes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/syscall.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int recording = 0;

static const char* under(void) {
  const char* value = getenv("RECORD_UNDER");
  return value != NULL ? value : getenv("LD_RECORD_UNDER");
}
static const char* to(void) {
  const char* value = getenv("RECORD_TO");
  return value != NULL ? value : getenv("LD_RECORD_TO");
}

static void before_fork(void) {
  pthread_mutex_lock(&lock);
}
static void after_fork(void) {
  pthread_mutex_unlock(&lock);
}

// For who is about to kill the process: what was done is written down, and nothing is done any more.
void record_end(void);
void record_end(void) {
  pthread_mutex_lock(&lock);
}

static void begin(void) __attribute__((constructor));
static void begin(void) {
  recording = to() != NULL;
  pthread_atfork(before_fork, after_fork, after_fork);
}

static void note(const void* data, size_t length, const char* format, ...) {
  char line[3 * PATH_MAX];
  va_list arguments;
  va_start(arguments, format);
  const int n = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  // Each time anew: the child closes what it does not know.
  const int journal = (int)syscall(SYS_openat, AT_FDCWD, to(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  int bad = syscall(SYS_write, journal, line, (size_t)n) != n;
  if (data != NULL) {
    bad = bad || syscall(SYS_write, journal, data, length) != (long)length || syscall(SYS_write, journal, "\n", 1) != 1;
  }
  syscall(SYS_close, journal);
  // A test that goes on with half a journal would test nothing.
  if (bad) abort();
}

static int is_below(int fd) {
  char link[64];
  char path[PATH_MAX];
  const char* directory = under();
  if (!recording || directory == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = '\0';
  const size_t length = strlen(directory);
  return strncmp(path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static unsigned long inode_of(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 ? (unsigned long)status.st_ino : 0;
}

// A name in a directory: the directory's inode (0 where it is none of ours) and the last component.
struct place {
  unsigned long parent;
  char name[NAME_MAX + 1];
  unsigned long inode;  // of what has the name now; 0 for nothing
};

static struct place place_of(int at, const char* path) {
  struct place out = {0, "", 0};
  char parent[PATH_MAX];
  const int error = errno;
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') --length;
  size_t base = length;
  while (base > 0 && path[base - 1] != '/') --base;
  if (!recording || length == 0 || length >= sizeof parent || length - base > NAME_MAX) return out;
  memcpy(out.name, path + base, length - base);
  out.name[length - base] = '\0';
  memcpy(parent, path, base);
  parent[base] = '\0';
  const int fd = (int)syscall(SYS_openat, at, base == 0 ? "." : parent, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd >= 0) {
    if (is_below(fd)) {
      struct stat status;
      out.parent = inode_of(fd);
      if (fstatat(fd, out.name, &status, AT_SYMLINK_NOFOLLOW) == 0) out.inode = (unsigned long)status.st_ino;
    }
    syscall(SYS_close, fd);
  }
  errno = error;
  return out;
}

static int open_recorded(int at, const char* path, int flags, mode_t mode) {
  if ((flags & (O_CREAT | O_TRUNC)) == 0 || !recording) return (int)syscall(SYS_openat, at, path, flags, mode);
  pthread_mutex_lock(&lock);
  const struct place place = place_of(at, path);
  const int fd = (int)syscall(SYS_openat, at, path, flags, mode);
  const int error = errno;
  if (fd >= 0 && place.parent != 0) {
    if (place.inode == 0) note(NULL, 0, "create %lu %lu %s\n", place.parent, inode_of(fd), place.name);
    if (place.inode != 0 && (flags & O_TRUNC) != 0) note(NULL, 0, "truncate %lu 0\n", place.inode);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return fd;
}

#define WRAP_OPEN(name, parameters, at, path)     \
  int name parameters {                           \
    mode_t mode = 0;                              \
    if ((flags & (O_CREAT | __O_TMPFILE)) != 0) { \
      va_list arguments;                          \
      va_start(arguments, flags);                 \
      mode = va_arg(arguments, mode_t);           \
      va_end(arguments);                          \
    }                                             \
    return open_recorded(at, path, flags, mode);  \
  }
WRAP_OPEN(open, (const char* path, int flags, ...), AT_FDCWD, path)
WRAP_OPEN(open64, (const char* path, int flags, ...), AT_FDCWD, path)
WRAP_OPEN(openat, (int at, const char* path, int flags, ...), at, path)
WRAP_OPEN(openat64, (int at, const char* path, int flags, ...), at, path)

static ssize_t write_recorded(int fd, const void* data, size_t length, off_t offset, int positioned) {
  if (!is_below(fd)) {
    return positioned ? syscall(SYS_pwrite64, fd, data, length, offset) : syscall(SYS_write, fd, data, length);
  }
  pthread_mutex_lock(&lock);
  const ssize_t n = positioned ? syscall(SYS_pwrite64, fd, data, length, offset) : syscall(SYS_write, fd, data, length);
  const int error = errno;
  if (n > 0) {
    const off_t at = positioned ? offset : lseek(fd, 0, SEEK_CUR) - n;
    note(data, (size_t)n, "write %lu %ld %zd\n", inode_of(fd), (long)at, n);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return n;
}

ssize_t write(int fd, const void* data, size_t length) {
  return write_recorded(fd, data, length, 0, 0);
}
ssize_t pwrite(int fd, const void* data, size_t length, off_t at) {
  return write_recorded(fd, data, length, at, 1);
}
ssize_t pwrite64(int fd, const void* data, size_t length, off_t at) {
  return write_recorded(fd, data, length, at, 1);
}

ssize_t copy_file_range(int from, off64_t* at, int to, off64_t* there, size_t length, unsigned flags) {
  if (!is_below(to)) return syscall(SYS_copy_file_range, from, at, to, there, length, flags);
  errno = EOPNOTSUPP;
  return -1;
}
int fallocate(int fd, int mode, off_t offset, off_t length) {
  if (!is_below(fd)) return (int)syscall(SYS_fallocate, fd, mode, offset, length);
  errno = EOPNOTSUPP;
  return -1;
}

// CALL is made, and what follows noted if it succeeded, under the lock; PLACES are looked up before.
#define RECORDED(PLACES, CALL, IS_OURS, ...)                \
  if (!recording) return (int)(CALL);                       \
  pthread_mutex_lock(&lock);                                \
  PLACES;                                                   \
  const int result = (int)(CALL);                           \
  const int error = errno;                                  \
  if (result == 0 && (IS_OURS)) note(NULL, 0, __VA_ARGS__); \
  pthread_mutex_unlock(&lock);                              \
  errno = error;                                            \
  return result

static int truncate_recorded(int fd, off_t length) {
  RECORDED((void)0, syscall(SYS_ftruncate, fd, length), is_below(fd), "truncate %lu %ld\n", inode_of(fd), (long)length);
}
int ftruncate(int fd, off_t length) {
  return truncate_recorded(fd, length);
}
int ftruncate64(int fd, off_t length) {
  return truncate_recorded(fd, length);
}

int fsync(int fd) {
  RECORDED((void)0, syscall(SYS_fsync, fd), is_below(fd), "sync %lu\n", inode_of(fd));
}
int fdatasync(int fd) {
  RECORDED((void)0, syscall(SYS_fdatasync, fd), is_below(fd), "sync %lu\n", inode_of(fd));
}
int syncfs(int fd) {
  RECORDED((void)0, syscall(SYS_syncfs, fd), is_below(fd), "syncfs 0\n");
}

static int exchange_recorded(int from_at, const char* from, int to_at, const char* to) {
  RECORDED(const struct place old = place_of(from_at, from);
           const struct place new = place_of(to_at, to),
           syscall(SYS_renameat2, from_at, from, to_at, to, RENAME_EXCHANGE), old.parent != 0 || new.parent != 0,
           "exchange %lu %lu %lu %lu %s %s\n", old.parent, new.parent, old.inode, new.inode, old.name, new.name);
}
static int rename_recorded(int from_at, const char* from, int to_at, const char* to, unsigned flags) {
  if ((flags & RENAME_EXCHANGE) != 0) return exchange_recorded(from_at, from, to_at, to);
  RECORDED(const struct place old = place_of(from_at, from);
           const struct place new = place_of(to_at, to), syscall(SYS_renameat2, from_at, from, to_at, to, flags),
           old.parent != 0 || new.parent != 0, "rename %lu %lu %lu %s %s\n", old.parent, new.parent, old.inode,
           old.name, new.name);
}
int rename(const char* from, const char* to) {
  return rename_recorded(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int a, const char* from, int b, const char* to) {
  return rename_recorded(a, from, b, to, 0);
}
int renameat2(int a, const char* from, int b, const char* to, unsigned f) {
  return rename_recorded(a, from, b, to, f);
}

int linkat(int from_at, const char* from, int to_at, const char* to, int flags) {
  RECORDED(const struct place old = place_of(from_at, from);
           const struct place new = place_of(to_at, to), syscall(SYS_linkat, from_at, from, to_at, to, flags),
           new.parent != 0, "link %lu %lu %s\n", new.parent, old.inode, new.name);
}
int link(const char* from, const char* to) {
  return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int at, const char* path, int flags) {
  RECORDED(const struct place old = place_of(at, path), syscall(SYS_unlinkat, at, path, flags), old.parent != 0,
           "%s %lu %s\n", (flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink", old.parent, old.name);
}
int unlink(const char* path) {
  return unlinkat(AT_FDCWD, path, 0);
}
int rmdir(const char* path) {
  return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}
int remove(const char* path) {
  const int result = unlink(path);
  return result != 0 && (errno == EISDIR || errno == EPERM) ? rmdir(path) : result;
}

int mkdirat(int at, const char* path, mode_t mode) {
  RECORDED((void)0, syscall(SYS_mkdirat, at, path, mode), place_of(at, path).parent != 0, "mkdir %lu %lu %s\n",
           place_of(at, path).parent, place_of(at, path).inode, place_of(at, path).name);
}
int mkdir(const char* path, mode_t mode) {
  return mkdirat(AT_FDCWD, path, mode);
}

char* mkdtemp(char* template) {
  static char* (*real)(char*);
  pthread_mutex_lock(&lock);
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "mkdtemp");
  char* made = real(template);
  const int error = errno;
  if (made != NULL && recording) {
    const struct place new = place_of(AT_FDCWD, made);
    if (new.parent != 0) note(NULL, 0, "mkdir %lu %lu %s\n", new.parent, new.inode, new.name);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return made;
}
