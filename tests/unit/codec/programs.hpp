// Stock programs that the codecs are compared with.
#pragma once

#include <cstdlib>
#include <string>

#include <doctest/doctest.h>
#include <sys/wait.h>

namespace cairn::test {

// The exit status of a shell command, -1 where a signal ended it.
inline int shell(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Whether the program is installed. Where the environment wants everything to run, a missing one is a failure.
inline bool has_program(const std::string& name) {
  if (shell("command -v " + name + " >/dev/null 2>&1") == 0) return true;
  if (std::getenv("CAIRN_TEST_REQUIRE_SERVERS") != nullptr) {
    FAIL_CHECK("the program is not installed: " << name);
  } else {
    MESSAGE("SKIPPED: the program is not installed: " << name);
  }
  return false;
}

}  // namespace cairn::test
