// The interface of a fuzz target. Each file in targets/ registers one: a function over bytes that somebody hostile
// wrote, and seeds, which real objects are. The same files are linked into a libFuzzer program each (CAIRN_FUZZ) and
// all of them into cairn_fuzz_replay, which runs what is in corpus/.
#pragma once

#include "util/error.hpp"

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn::fuzz {

struct Target {
  const char* name;
  void (*run)(std::string_view input);
  std::vector<std::string> (*seeds)();
};

// All that are linked in, by name.
const std::vector<Target>& targets();

struct Registration {
  explicit Registration(const Target& target);
};

// Says what does not hold and aborts: to a fuzzer and to the replay that is a finding.
void require(bool holds, const char* what);

// That it is of one of these kinds, and that its texts may be shown in a terminal.
void check_error(const Error& error, std::initializer_list<ErrorKind> kinds);

// Whether f returned. It may throw an Error of these kinds; whatever else it throws is a finding.
template <class F>
bool accepted(std::initializer_list<ErrorKind> kinds, F&& f) {
  try {
    std::forward<F>(f)();
    return true;
  } catch (const Error& e) {
    check_error(e, kinds);
    return false;
  }
}

// Takes numbers off the front of an input, zero where it has ended.
class Numbers {
 public:
  explicit Numbers(std::string_view input) : m_rest(input) {}
  unsigned byte();
  std::size_t below(std::size_t limit);  // of three bytes; 0 where limit is 0
  std::string_view rest() const noexcept { return m_rest; }
  bool empty() const noexcept { return m_rest.empty(); }

 private:
  std::string_view m_rest;
};

}  // namespace cairn::fuzz
