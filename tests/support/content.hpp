// Content for tests to store.
#pragma once

#include "util/file.hpp"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

namespace cairn::test {

// Bytes that do not compress, the same for the same seed.
inline std::string noise(std::size_t size, std::uint32_t seed) {
  std::string out(size, '\0');
  for (auto& c : out) {
    seed = seed * 1664525 + 1013904223;
    c = static_cast<char>(seed >> 24);
  }
  return out;
}

inline void write(const fs::path& path, std::string_view text) {
  std::ofstream out{path, std::ios::binary};
  out << text;
}

}  // namespace cairn::test
