// The one failure type. A function that cannot do what its name says throws Error (or a subclass); "not there" is
// an empty optional. Exactly one catch, in cli/app, turns a kind into an exit status.
#pragma once

#include <algorithm>
#include <chrono>
#include <exception>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace cairn {

// The kind of a failure, in the terms the exit status of the program is defined in (see cairn(1), EXIT STATUS).
enum class ErrorKind {
  failed,       // 1: unreachable, denied, producer failed, disk full, newer major version
  usage,        // 2: usage, configuration, target not empty, ambiguous reference, choice missing
  damaged,      // 4: stored bytes are not what they should be
  not_found,    // 10: no such bucket, store, series, snapshot
  busy,         // 11: somebody else holds what is needed
  no_key,       // 12: no key, or it does not open the object
  untrusted,    // 13: signature or pinned trust refused
  interrupted,  // 130 or 143: a signal asked the program to stop
};

class Error : public std::exception {
 public:
  // message: lower case, what failed and on which path, then the cause; no full stop.
  // hint: advice for the reader, printed on a line of its own; may be empty.
  Error(ErrorKind kind, std::string message, std::string hint = {});

  ErrorKind kind() const noexcept { return m_kind; }
  const std::string& message() const noexcept { return m_message; }
  const std::string& hint() const noexcept { return m_hint; }
  const char* what() const noexcept override { return m_message.c_str(); }

 private:
  ErrorKind m_kind;
  std::string m_message;
  std::string m_hint;
};

// A source (the live data) could not be read. One entry that fails makes a snapshot incomplete; never confused with
// a StoreError, which is always fatal.
class SourceError : public Error {
 public:
  using Error::Error;
};

// An object store did not do what was asked. `transient` is what the retrying decorator looks at.
class StoreError : public Error {
 public:
  enum class Transient {
    no,
    yes,
    unreachable,  // transient, and not even a connection came about: as likely a wrong address as an outage
  };
  StoreError(ErrorKind kind, Transient transient, std::string message, std::string hint = {});
  bool transient() const noexcept { return m_transient != Transient::no; }
  bool unreachable() const noexcept { return m_transient == Transient::unreachable; }

  // How long the store asked to be left alone.
  void set_retry_after(std::chrono::nanoseconds delay) noexcept { m_retry_after = delay; }
  std::optional<std::chrono::nanoseconds> retry_after() const noexcept { return m_retry_after; }

 private:
  Transient m_transient;
  std::optional<std::chrono::nanoseconds> m_retry_after;
};

// A system call failed; what throw_errno() throws.
class SystemError : public Error {
 public:
  SystemError(std::string message, std::string hint, int number)
      : Error(ErrorKind::failed, std::move(message), std::move(hint)), m_number(number) {}
  int number() const noexcept { return m_number; }

 private:
  int m_number;
};

// Runs attempt, whose damage the caller can do without. Returns the Error where one object is damaged, or where the
// Error is of another kind that the caller names. Everything else goes through: a StoreError of any kind (the store did
// not answer, which says nothing of the object), an interruption, and what is no Error at all. Nothing where attempt
// returned.
template <class F>
std::optional<Error> damage_of(F&& attempt, std::initializer_list<ErrorKind> also = {}) {
  try {
    std::forward<F>(attempt)();
  } catch (const StoreError&) {
    throw;
  } catch (const Error& e) {
    const bool expected = e.kind() == ErrorKind::damaged || std::find(also.begin(), also.end(), e.kind()) != also.end();
    if (!expected || e.kind() == ErrorKind::interrupted) throw;
    return e;
  }
  return std::nullopt;
}

// The same for whatever is wrong with one of many: every Error but a StoreError and an interruption.
template <class F>
std::optional<Error> any_failure_of(F&& attempt) {
  try {
    std::forward<F>(attempt)();
  } catch (const StoreError&) {
    throw;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    return e;
  }
  return std::nullopt;
}

// The same for what stands beside others that go on without it, a store or a source as a whole: every Error but an
// interruption.
template <class F>
std::optional<Error> every_failure_of(F&& attempt) {
  try {
    std::forward<F>(attempt)();
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    return e;
  }
  return std::nullopt;
}

// "unable to VERB 'path': cause of errno". Kind is failed; ENOENT stays failed too (a caller that means not_found
// says so itself). ENOSPC and EDQUOT get a hint.
[[noreturn]] void throw_errno(std::string_view verb, std::string_view path, int error_number);

// strerror without the thread-safety trap.
std::string errno_text(int error_number);

// Foreign text as messages show it: what is unprintable and what is no UTF-8 as \xNN, so that it cannot drive the
// reader's terminal. quote() also puts it into single quotes, and leaves out what can only be a secret key.
std::string quote(std::string_view path);
std::string terminal_safe(std::string_view text);

}  // namespace cairn
