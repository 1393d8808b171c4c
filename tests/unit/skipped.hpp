// Things that a test cannot do here are told in one form, which tests/run sums up.
#pragma once

#include <string_view>
#include <unistd.h>

#include <doctest/doctest.h>

namespace cairn::test {

inline void tell_skipped(std::string_view why, std::string_view what) {
  MESSAGE("SKIPPED: " << why << ": " << what);
}

// Whether this is root; where it is not, tells what is not tested.
inline bool is_root_for(std::string_view what) {
  if (::geteuid() == 0) return true;
  tell_skipped("needs root", what);
  return false;
}

}  // namespace cairn::test
