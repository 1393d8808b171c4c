#include "target.hpp"

#include "util/utf8.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace cairn::fuzz {

namespace {

std::vector<Target>& registered() {
  static std::vector<Target> all;
  return all;
}

}  // namespace

const std::vector<Target>& targets() {
  auto& all = registered();
  std::sort(all.begin(), all.end(), [](const Target& a, const Target& b) { return std::strcmp(a.name, b.name) < 0; });
  return all;
}

Registration::Registration(const Target& target) {
  registered().push_back(target);
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

void check_error(const Error& error, std::initializer_list<ErrorKind> kinds) {
  const bool expected = std::find(kinds.begin(), kinds.end(), error.kind()) != kinds.end();
  if (!expected) std::fprintf(stderr, "kind %d: %s\n", static_cast<int>(error.kind()), error.what());
  require(expected, "the error is of an expected kind");
  for (const std::string& text : {error.message(), error.hint()}) {
    const bool clean = is_valid_utf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
                         return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                       });
    if (!clean) std::fprintf(stderr, "message: %s\n", text.c_str());
    require(clean, "a message is clean text");
  }
  require(!error.message().empty(), "an error says what is wrong");
}

unsigned Numbers::byte() {
  if (m_rest.empty()) return 0;
  const auto value = static_cast<unsigned char>(m_rest.front());
  m_rest.remove_prefix(1);
  return value;
}

std::size_t Numbers::below(std::size_t limit) {
  std::size_t value = byte();
  value = value << 8 | byte();
  value = value << 8 | byte();
  return limit == 0 ? 0 : value % limit;
}

}  // namespace cairn::fuzz
