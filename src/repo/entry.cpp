#include "repo/entry.hpp"

#include <algorithm>

namespace cairn {

int compare_paths(std::string_view a, std::string_view b) noexcept {
  if (a == b) return 0;
  if (a == ".") return -1;
  if (b == ".") return 1;
  const auto [ia, ib] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (ia == a.end()) return -1;
  if (ib == b.end()) return 1;
  // '/' ends a component and sorts before any byte that goes on with it.
  const int ca = *ia == '/' ? -1 : static_cast<unsigned char>(*ia);
  const int cb = *ib == '/' ? -1 : static_cast<unsigned char>(*ib);
  return ca - cb;
}

bool is_valid_entry_path(std::string_view path) noexcept {
  if (path == ".") return true;
  if (path.empty() || path.size() > 65535 || path.find('\0') != std::string_view::npos) return false;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace cairn
