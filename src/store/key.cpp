#include "store/key.hpp"

#include "util/error.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

namespace {

bool is_key_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

bool is_valid_key_component(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." && !name.starts_with(k_temporary_prefix) &&
         std::all_of(name.begin(), name.end(), is_key_character);
}

bool is_valid_key(std::string_view key) noexcept {
  if (key.size() > 1024) return false;
  for (;;) {
    const std::size_t slash = key.find('/');
    if (!is_valid_key_component(key.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    key.remove_prefix(slash + 1);
  }
}

void require_valid_key(std::string_view key) {
  if (is_valid_key(key)) return;
  throw StoreError(ErrorKind::failed, StoreError::Transient::no, fmt::format("invalid object name {}", quote(key)));
}

}  // namespace cairn
