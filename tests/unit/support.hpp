// Small things that many tests need.
#pragma once

#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

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

// After a test that pretends that a signal came, also where it fails, none has.
struct SignalForgotten {
  SignalForgotten() = default;
  SignalForgotten(const SignalForgotten&) = delete;
  SignalForgotten& operator=(const SignalForgotten&) = delete;
  ~SignalForgotten() { set_interrupted(0); }
};

// The first occurrence of `from` replaced; the text is expected to have one.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  if (at == std::string::npos) throw Error(ErrorKind::failed, "the test's text has no " + std::string{from});
  return text.replace(at, from.size(), to);
}

}  // namespace cairn::test
