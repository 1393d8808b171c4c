// Ends the process at its Nth call that changes a file system's names or durability: LD_PRELOAD=kill_at.so with
// KILL_AT=N and KILL_SIGNAL=number. KILL_WHEN: "before" the call (the default) or "after" it took effect. With
// KILL_COUNT=FILE the number of calls is written there at exit. With KILL_CALLS=writes calls that write or cut a file
// are among them, with KILL_CALLS=http they are HTTP requests. The child that SQLite runs in inherits of the environment
// only what begins with LD_: LD_KILL_AT and so on end it, and not the program itself; its count is a line for each call.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/syscall.h>

#include "shim_settings.h"

static atomic_int calls;

static void at_exit(void) __attribute__((destructor));
static void at_exit(void) {
  const char* path = is_child() ? NULL : setting("KILL_COUNT");
  if (path == NULL) return;
  FILE* out = fopen(path, "w");
  if (out == NULL) return;
  fprintf(out, "%d\n", atomic_load(&calls));
  fclose(out);
}

static int next(const char* kind) {
  const char* counted = setting("KILL_CALLS");
  if (counted == NULL) counted = "files";
  const int also = strcmp(counted, "writes") == 0 && strcmp(kind, "files") == 0;
  if (strcmp(counted, kind) != 0 && !also) return 0;
  count_now("KILL_COUNT");
  return atomic_fetch_add(&calls, 1) + 1;
}

static int is_now(int number, const char* when) {
  const char* at = setting("KILL_AT");
  const char* wanted = setting("KILL_WHEN");
  return number != 0 && at != NULL && atoi(at) == number && strcmp(wanted == NULL ? "before" : wanted, when) == 0;
}

static void end_now(void) {
  // Another thread's call may have taken effect and not be in record.so's journal yet, if that is there.
  void (*record_end)(void);
  *(void**)&record_end = dlsym(RTLD_DEFAULT, "record_end");
  if (record_end != NULL) record_end();
  const char* signal_text = setting("KILL_SIGNAL");
  kill(getpid(), signal_text == NULL ? SIGKILL : atoi(signal_text));
}

#define WRAP(kind, name, parameters, arguments) WRAP_OF(int, kind, name, parameters, arguments)
#define WRAP_OF(type, kind, name, parameters, arguments)        \
  type name parameters {                                        \
    static type(*real) parameters;                              \
    if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, #name); \
    const int number = next(kind);                              \
    if (is_now(number, "before")) end_now();                    \
    const type result = real arguments;                         \
    if (is_now(number, "after")) end_now();                     \
    return result;                                              \
  }

WRAP("files", fsync, (int fd), (fd))
WRAP("files", fdatasync, (int fd), (fd))
WRAP("files", syncfs, (int fd), (fd))
WRAP("files", rename, (const char* a, const char* b), (a, b))
WRAP("files", renameat, (int x, const char* a, int y, const char* b), (x, a, y, b))
WRAP("files", renameat2, (int x, const char* a, int y, const char* b, unsigned f), (x, a, y, b, f))
WRAP("files", link, (const char* a, const char* b), (a, b))
WRAP("files", linkat, (int x, const char* a, int y, const char* b, int f), (x, a, y, b, f))
WRAP("files", unlink, (const char* a), (a))
WRAP("files", unlinkat, (int x, const char* a, int f), (x, a, f))
WRAP("files", mkdir, (const char* a, mode_t m), (a, m))
WRAP("files", mkdirat, (int x, const char* a, mode_t m), (x, a, m))
WRAP("writes", ftruncate, (int fd, off_t n), (fd, n))
WRAP("writes", ftruncate64, (int fd, off64_t n), (fd, n))
WRAP_OF(ssize_t, "writes", write, (int fd, const void* p, size_t n), (fd, p, n))
WRAP_OF(ssize_t, "writes", pwrite, (int fd, const void* p, size_t n, off_t at), (fd, p, n, at))
WRAP_OF(ssize_t, "writes", pwrite64, (int fd, const void* p, size_t n, off64_t at), (fd, p, n, at))
WRAP("http", curl_easy_perform, (void* handle), (handle))
