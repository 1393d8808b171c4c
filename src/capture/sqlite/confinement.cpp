#include "capture/sqlite/confinement.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <unistd.h>
#include <vector>

#include <sys/syscall.h>

namespace cairn::sqlite {

namespace {

#if defined(__x86_64__)
constexpr unsigned k_machine = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned k_machine = AUDIT_ARCH_AARCH64;
#else
constexpr unsigned k_machine = 0;
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool k_sanitized = true;
#elif defined(__has_feature)
constexpr bool k_sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool k_sanitized = false;
#endif

// The last ones are those of a thread that has just been started.
constexpr unsigned k_allowed[] = {
    SYS_read,          SYS_write,     SYS_recvmsg,      SYS_sendmsg,         SYS_ppoll,        SYS_close,
    SYS_fstat,         SYS_mmap,      SYS_munmap,       SYS_mremap,          SYS_mprotect,     SYS_madvise,
    SYS_brk,           SYS_futex,     SYS_rt_sigreturn, SYS_rt_sigprocmask,  SYS_rt_sigaction, SYS_restart_syscall,
    SYS_clock_gettime, SYS_nanosleep, SYS_gettimeofday, SYS_clock_nanosleep, SYS_getrandom,    SYS_getpid,
    SYS_gettid,        SYS_tgkill,    SYS_exit,         SYS_exit_group,      SYS_sched_yield,  SYS_set_robust_list,
    SYS_rseq,
#ifdef SYS_poll
    SYS_poll,          SYS_time,
#endif
};

}  // namespace

void confine() noexcept {
  // It is read now: later nothing can be.
  ::tzset();
  if (k_machine == 0 || k_sanitized) return;
  std::vector<sock_filter> program;
  const auto load = [&](std::size_t offset) {
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset)));
  };
  const auto give = [&](unsigned answer) { program.push_back(BPF_STMT(BPF_RET | BPF_K, answer)); };
  // Calls of another machine's kind (32 bits) have other numbers.
  load(offsetof(struct seccomp_data, arch));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k_machine, 1, 0));
  give(SECCOMP_RET_KILL_PROCESS);
  load(offsetof(struct seccomp_data, nr));
  for (const unsigned number : k_allowed) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
    give(SECCOMP_RET_ALLOW);
  }
  give(SECCOMP_RET_ERRNO | EPERM);
  const struct sock_fprog filter { static_cast<unsigned short>(program.size()), program.data() };
  ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
}

}  // namespace cairn::sqlite
