// Fails calls on the files below a directory: LD_PRELOAD=fail_at.so with FAIL_UNDER=DIRECTORY (absolute, no link in
// it), FAIL_KIND=change (what needs space or makes names: write, create, rename, link, mkdir, truncate, fsync; not
// close, unlink), read (open for reading, read, list) or other (unlink, and what changes owners, modes, times and
// attributes), FAIL_ERRNO=number.
//   FAIL_AT=N      the Nth such call of the process fails
//   FAIL_ON=1      and all after it: a disk that stays full, a store that is gone. Then every other call there fails,
//   too FAIL_SHORT=1   a write that fails has written half before it, as on a disk that fills up FAIL_MOVE=DIR  nothing
//   fails, but before the Nth call FAIL_UNDER is renamed to DIR; with FAIL_EMPTY=1 an empty
//                  directory takes its place, as under a mount that is gone
//   FAIL_EXCHANGE=1  the file system can exchange no two names (EINVAL), whatever else is asked for
//   FAIL_COUNT=FILE  gets a line for each process at its end: the calls of that kind
// The child that SQLite runs in inherits of the environment only what begins with LD_: LD_FAIL_UNDER and so on fail its
// calls, and not those of the program itself.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/syscall.h>

#include "shim_settings.h"

enum kind { change, reading, other };

static atomic_int calls;
static atomic_int failing;

static void at_exit(void) __attribute__((destructor));
static void at_exit(void) {
  const char* path = is_child() ? NULL : setting("FAIL_COUNT");
  FILE* out = path == NULL ? NULL : fopen(path, "a");
  if (out == NULL) return;
  fprintf(out, "%d\n", atomic_load(&calls));
  fclose(out);
}

static int begins_with(const char* path, const char* prefix) {
  const size_t length = strlen(prefix);
  return strncmp(path, prefix, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static int is_below(const char* path) {
  const char* under = setting("FAIL_UNDER");
  const char* moved = setting("FAIL_MOVE");
  if (under == NULL) return 0;
  return begins_with(path, under) || (moved != NULL && begins_with(path, moved));
}

static int is_fd_below(int fd) {
  char link[64];
  char path[PATH_MAX];
  const int error = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = readlink(link, path, sizeof path - 1);
  errno = error;
  if (n < 0) return 0;
  path[n] = '\0';
  return is_below(path);
}

static int is_path_below(int at, const char* path) {
  if (path[0] == '/') return is_below(path);
  char here[PATH_MAX];
  if (at != AT_FDCWD) return is_fd_below(at);
  return getcwd(here, sizeof here) != NULL && is_below(here);
}

static void move_away(void) {
  const char* under = setting("FAIL_UNDER");
  syscall(SYS_renameat2, AT_FDCWD, under, AT_FDCWD, setting("FAIL_MOVE"), 0);
  if (setting("FAIL_EMPTY") != NULL) syscall(SYS_mkdirat, AT_FDCWD, under, 0700);
}

// Whether a call on something below the directory is to fail; errno is set then.
static int fails(enum kind kind) {
  const char* wanted = setting("FAIL_KIND");
  const char* at = setting("FAIL_AT");
  const char* number = setting("FAIL_ERRNO");
  const enum kind counted = wanted == NULL                 ? change
                            : strcmp(wanted, "read") == 0  ? reading
                            : strcmp(wanted, "other") == 0 ? other
                                                           : change;
  int now = atomic_load(&failing);
  if (kind == counted) count_now("FAIL_COUNT");
  if (kind == counted && atomic_fetch_add(&calls, 1) + 1 == (at == NULL ? -1 : atoi(at))) {
    if (setting("FAIL_MOVE") != NULL) {
      move_away();
      return 0;
    }
    now = 1;
    if (setting("FAIL_ON") != NULL) atomic_store(&failing, 1);
  }
  // A full disk can still be read; one that fails otherwise is gone.
  if (!now || (kind != counted && number != NULL && atoi(number) == ENOSPC)) return 0;
  errno = number == NULL ? EIO : atoi(number);
  return 1;
}

static enum kind kind_of_open(int flags) {
  if ((flags & (O_CREAT | O_TRUNC)) != 0) return change;
  return (flags & O_ACCMODE) == O_RDONLY && (flags & O_PATH) == 0 ? reading : other;
}

#define WRAP_OPEN(name, parameters, at, path)                             \
  int name parameters {                                                   \
    mode_t mode = 0;                                                      \
    if ((flags & (O_CREAT | __O_TMPFILE)) != 0) {                         \
      va_list arguments;                                                  \
      va_start(arguments, flags);                                         \
      mode = va_arg(arguments, mode_t);                                   \
      va_end(arguments);                                                  \
    }                                                                     \
    if (is_path_below(at, path) && fails(kind_of_open(flags))) return -1; \
    return (int)syscall(SYS_openat, at, path, flags, mode);               \
  }
WRAP_OPEN(open, (const char* path, int flags, ...), AT_FDCWD, path)
WRAP_OPEN(open64, (const char* path, int flags, ...), AT_FDCWD, path)
WRAP_OPEN(openat, (int at, const char* path, int flags, ...), at, path)
WRAP_OPEN(openat64, (int at, const char* path, int flags, ...), at, path)

static ssize_t write_or_fail(int fd, const void* data, size_t length, off_t at, int positioned) {
  if (is_fd_below(fd) && fails(change)) {
    if (setting("FAIL_SHORT") == NULL || length < 2) return -1;
    // The half is told; what follows meets the full disk.
    atomic_store(&failing, 1);
    length /= 2;
  }
  return positioned ? syscall(SYS_pwrite64, fd, data, length, at) : syscall(SYS_write, fd, data, length);
}
ssize_t write(int fd, const void* data, size_t length) {
  return write_or_fail(fd, data, length, 0, 0);
}
ssize_t pwrite(int fd, const void* data, size_t length, off_t at) {
  return write_or_fail(fd, data, length, at, 1);
}
ssize_t pwrite64(int fd, const void* data, size_t length, off_t at) {
  return write_or_fail(fd, data, length, at, 1);
}

#define WRAP_FD(type, name, kind, parameters, call) \
  type name parameters {                            \
    if (is_fd_below(fd) && fails(kind)) return -1;  \
    return (type)(call);                            \
  }
WRAP_FD(ssize_t, read, reading, (int fd, void* data, size_t length), syscall(SYS_read, fd, data, length))
WRAP_FD(ssize_t, pread, reading, (int fd, void* data, size_t n, off_t at), syscall(SYS_pread64, fd, data, n, at))
WRAP_FD(ssize_t, pread64, reading, (int fd, void* data, size_t n, off_t at), syscall(SYS_pread64, fd, data, n, at))
WRAP_FD(int, ftruncate, change, (int fd, off_t length), syscall(SYS_ftruncate, fd, length))
WRAP_FD(int, ftruncate64, change, (int fd, off_t length), syscall(SYS_ftruncate, fd, length))
WRAP_FD(int, fsync, change, (int fd), syscall(SYS_fsync, fd))
WRAP_FD(int, fdatasync, change, (int fd), syscall(SYS_fdatasync, fd))
WRAP_FD(int, syncfs, change, (int fd), syscall(SYS_syncfs, fd))
WRAP_FD(int, fchmod, other, (int fd, mode_t mode), syscall(SYS_fchmod, fd, mode))
WRAP_FD(int, fchown, other, (int fd, uid_t owner, gid_t group), syscall(SYS_fchown, fd, owner, group))
WRAP_FD(int, futimens, other, (int fd, const struct timespec times[2]), syscall(SYS_utimensat, fd, NULL, times, 0))
WRAP_FD(int, fremovexattr, other, (int fd, const char* name), syscall(SYS_fremovexattr, fd, name))
WRAP_FD(int, fsetxattr, other, (int fd, const char* name, const void* value, size_t size, int flags),
        syscall(SYS_fsetxattr, fd, name, value, size, flags))

ssize_t copy_file_range(int from, off64_t* at, int fd, off64_t* to, size_t length, unsigned flags) {
  if (is_fd_below(fd) && fails(change)) return -1;
  return syscall(SYS_copy_file_range, from, at, fd, to, length, flags);
}

#define WRAP_PATH(name, kind, parameters, at, path, call)  \
  int name parameters {                                    \
    if (is_path_below(at, path) && fails(kind)) return -1; \
    return (int)(call);                                    \
  }
WRAP_PATH(rename, change, (const char* a, const char* b), AT_FDCWD, b, syscall(SYS_rename, a, b))
WRAP_PATH(renameat, change, (int x, const char* a, int y, const char* b), y, b, syscall(SYS_renameat2, x, a, y, b, 0))
static int exchanges(unsigned flags) {
  return (flags & RENAME_EXCHANGE) != 0 && getenv("FAIL_EXCHANGE") != NULL;
}
static long rename_with(int x, const char* a, int y, const char* b, unsigned flags) {
  if (!exchanges(flags)) return syscall(SYS_renameat2, x, a, y, b, flags);
  errno = EINVAL;
  return -1;
}
WRAP_PATH(renameat2, change, (int x, const char* a, int y, const char* b, unsigned f), y, b, rename_with(x, a, y, b, f))
WRAP_PATH(link, change, (const char* a, const char* b), AT_FDCWD, b, syscall(SYS_link, a, b))
WRAP_PATH(linkat, change, (int x, const char* a, int y, const char* b, int f), y, b, syscall(SYS_linkat, x, a, y, b, f))
WRAP_PATH(symlinkat, change, (const char* text, int at, const char* path), at, path,
          syscall(SYS_symlinkat, text, at, path))
WRAP_PATH(mkdir, change, (const char* path, mode_t mode), AT_FDCWD, path, syscall(SYS_mkdir, path, mode))
WRAP_PATH(mkdirat, change, (int at, const char* path, mode_t mode), at, path, syscall(SYS_mkdirat, at, path, mode))
WRAP_PATH(unlink, other, (const char* path), AT_FDCWD, path, syscall(SYS_unlink, path))
WRAP_PATH(unlinkat, other, (int at, const char* path, int flags), at, path, syscall(SYS_unlinkat, at, path, flags))

char* mkdtemp(char* template) {
  static char* (*real)(char*);
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "mkdtemp");
  if (is_path_below(AT_FDCWD, template) && fails(change)) return NULL;
  return real(template);
}

struct dirent* readdir(DIR* stream) {
  static struct dirent* (*real)(DIR*);
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, "readdir");
  if (is_fd_below(dirfd(stream)) && fails(reading)) return NULL;
  return real(stream);
}
