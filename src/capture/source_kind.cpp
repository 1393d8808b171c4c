#include "capture/source_kind.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace cairn {

namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, 3> k_names{"directory", "sqlite", "command"};

}  // namespace

std::string_view kind_name(SourceKind kind) noexcept {
  return k_names[static_cast<std::size_t>(kind)];
}

std::optional<SourceKind> parse_source_kind(std::string_view name) noexcept {
  const auto at = std::find(k_names.begin(), k_names.end(), name);
  if (at == k_names.end()) return std::nullopt;
  return static_cast<SourceKind>(at - k_names.begin());
}

}  // namespace cairn
