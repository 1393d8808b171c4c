// What the shims are told by the environment, in the program and in the child that reads databases.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/syscall.h>

// Of the child: it ends without a destructor, so its calls are counted one by one.
static int is_child(void) {
  return strcmp(program_invocation_name, "cairn-sqlite-reader") == 0;
}
static const char* setting(const char* name) {
  char own[64];
  snprintf(own, sizeof own, "LD_%s", name);
  return getenv(is_child() ? own : name);
}

// A line in the file that the setting names. In the child alone.
static void count_now(const char* name) {
  const char* path = is_child() ? setting(name) : NULL;
  if (path == NULL) return;
  const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || syscall(SYS_write, fd, "1\n", 2) != 2) abort();
  syscall(SYS_close, fd);
}
