// Stops a program before one of its system calls, runs a command meanwhile, and lets it go on:
//   stop_at WORD NUMBER COUNT-FILE COMMAND PROGRAM [ARG...]
// Counted are the calls of all threads from the first on that names WORD in a path, but for those that only move bytes,
// memory or threads. The command is a shell's; with NUMBER 0 none is run. COUNT-FILE gets the number of calls. Exits as
// the program does, with 128 and the signal's number where one ended it; 125 where it cannot be done.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static const char* word;
static int wanted;
static const char* command;
static int begun;
static int calls;

static int is_of_no_matter(long number) {
  static const long k_others[] = {
      SYS_read,      SYS_write,        SYS_pread64,         SYS_pwrite64, SYS_close, SYS_lseek,
      SYS_mmap,      SYS_munmap,       SYS_mprotect,        SYS_mremap,   SYS_brk,   SYS_madvise,
      SYS_futex,     SYS_clone,        SYS_clone3,          SYS_exit,     SYS_rseq,  SYS_set_robust_list,
      SYS_getpid,    SYS_gettid,       SYS_rt_sigprocmask,  SYS_geteuid,  SYS_ioctl, SYS_sched_yield,
      SYS_getrandom, SYS_rt_sigaction, SYS_clock_nanosleep, SYS_fcntl};
  for (size_t i = 0; i < sizeof k_others / sizeof *k_others; ++i) {
    if (k_others[i] == number) return 1;
  }
  return 0;
}

// Whether one of the arguments may be the address of a path with the word in it.
static int names_word(pid_t thread, const uint64_t* arguments) {
  for (int i = 0; i < 4; ++i) {
    char text[4096];
    struct iovec to = {text, sizeof text - 1};
    size_t length = 0;
    // Up to the end of a page at a time: what follows may not be there.
    while (length < sizeof text - 1) {
      const uint64_t at = arguments[i] + length;
      size_t piece = 4096 - at % 4096;
      if (piece > sizeof text - 1 - length) piece = sizeof text - 1 - length;
      to.iov_base = text + length;
      to.iov_len = piece;
      struct iovec from = {(void*)at, piece};
      if (process_vm_readv(thread, &to, 1, &from, 1, 0) != (ssize_t)piece) break;
      length += piece;
      if (memchr(to.iov_base, 0, piece) != NULL) break;
    }
    text[length] = '\0';
    if (strstr(text, word) != NULL) return 1;
  }
  return 0;
}

static void at_entry(pid_t thread) {
  struct __ptrace_syscall_info info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) return;
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY || is_of_no_matter((long)info.entry.nr)) return;
  if (!begun && !names_word(thread, info.entry.args)) return;
  begun = 1;
  if (++calls == wanted && system(command) != 0) {
    fprintf(stderr, "stop_at: the command failed\n");
    exit(125);
  }
}

int main(int argc, char** argv) {
  if (argc < 6) return 125;
  word = argv[1];
  wanted = atoi(argv[2]);
  command = argv[4];
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(125);
    raise(SIGSTOP);
    execv(argv[5], argv + 5);
    _exit(127);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
    fprintf(stderr, "stop_at: no program can be traced here\n");
    return 125;
  }
  ptrace(PTRACE_SETOPTIONS, child, NULL,
         PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
  ptrace(PTRACE_SYSCALL, child, NULL, NULL);
  int result = 0;
  for (;;) {
    const pid_t thread = waitpid(-1, &status, __WALL);
    if (thread < 0) break;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (thread == child) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      continue;
    }
    int pass_on = WSTOPSIG(status);
    if (pass_on == (SIGTRAP | 0x80)) {
      at_entry(thread);
      pass_on = 0;
    } else if (pass_on == SIGTRAP || pass_on == SIGSTOP) {
      pass_on = 0;  // of tracing itself: a new thread, an exec
    }
    ptrace(PTRACE_SYSCALL, thread, NULL, (long)pass_on);
  }
  FILE* out = fopen(argv[3], "w");
  if (out == NULL) return 125;
  fprintf(out, "%d\n", calls);
  fclose(out);
  return result;
}
