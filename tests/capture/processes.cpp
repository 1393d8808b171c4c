#include "processes.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <grp.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace cairn::hammer {

namespace {

void become(uid_t user) {
  if (user == ::geteuid()) return;
  if (::setgroups(0, nullptr) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0) {
    throw std::runtime_error{fmt::format("unable to become user {}", user)};
  }
}

}  // namespace

pid_t start(uid_t user, const std::function<void()>& body) {
  std::fflush(stdout);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error{"unable to start a process"};
  if (pid != 0) return pid;
  int status = 0;
  try {
    become(user);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // after the change of user, which clears it
    body();
  } catch (const std::exception& error) {
    fmt::print(stderr, "child: {}\n", error.what());
    status = 1;
  }
  ::_exit(status);
}

bool ended_well(pid_t child) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool run_as(uid_t user, const std::function<void()>& body) {
  return ended_well(start(user, body));
}

}  // namespace cairn::hammer
