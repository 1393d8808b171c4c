// Does something as a user to whom permissions mean something.
#pragma once

#include <exception>
#include <iostream>
#include <sched.h>
#include <thread>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/syscall.h>

namespace cairn::test {

// From then on the calling thread, with what it starts, is nobody, and its umask and working directory are its own. The
// wrappers of the C library would change all threads. Where this process is not root it stays who it is.
inline bool become_nobody() noexcept {
  constexpr long k_nobody = 65534;
  if (::geteuid() != 0) return true;
  return ::unshare(CLONE_FS) == 0 && ::syscall(SYS_setgroups, 0L, nullptr) == 0 &&
         ::syscall(SYS_setresgid, k_nobody, k_nobody, k_nobody) == 0 &&
         ::syscall(SYS_setresuid, k_nobody, k_nobody, k_nobody) == 0;
}

// Runs f as nobody where this process is root, to whom permissions mean nothing: in a thread, since a fork of a process
// with threads may start none (sanitizers do not support that). Whether f returned true.
template <class F>
bool as_nobody(F f) {
  bool ok = false;
  std::thread body{[&] {
    try {
      ok = become_nobody() && f();
    } catch (const std::exception& e) {
      std::cerr << "as nobody: " << e.what() << std::endl;
    }
  }};
  body.join();
  // A change of identity takes it from all of the process.
  ::prctl(PR_SET_DUMPABLE, 1L);
  return ok;
}

}  // namespace cairn::test
