// Small things that many tests need.
#pragma once

#include "util/error.hpp"

#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

#include <sys/wait.h>

namespace cairn::test {

// The kind of Error that f throws, or nothing where it throws none. Any other exception passes: a decoder that lets
// std::bad_alloc or std::length_error out has believed a number.
template <class F>
std::optional<ErrorKind> failure_of(F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const Error& e) {
    return e.kind();
  }
  return std::nullopt;
}

template <class F>
std::string message_of(F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const Error& e) {
    return e.message();
  }
  return {};
}

// The first occurrence of `from` replaced; the text is expected to have one.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  if (at == std::string::npos) throw Error(ErrorKind::failed, "the test's text has no " + std::string{from});
  return text.replace(at, from.size(), to);
}

// Runs f in a child, as nobody where this process is root, to whom permissions mean nothing. Whether f returned true
// there.
template <class F>
bool as_nobody(F f) {
  const pid_t pid = ::fork();
  if (pid < 0) throw Error(ErrorKind::failed, "unable to fork");
  if (pid == 0) {
    bool ok = false;
    try {
      ok = ::geteuid() != 0 || (::setgid(65534) == 0 && ::setuid(65534) == 0);
      ok = ok && f();
    } catch (const std::exception& e) {
      // doctest's own report is the parent's.
      ok = false;
      std::cerr << "as nobody: " << e.what() << std::endl;
    }
    ::_exit(ok ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace cairn::test
