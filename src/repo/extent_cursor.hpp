// Extents, one chunk after the other.
#pragma once

#include "repo/extent.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace cairn {

// Extents taken apart in their order: chunk by chunk, a hole as a whole. One thread.
class ExtentCursor {
 public:
  struct Step {
    std::uint64_t hole = 0;   // bytes; 0: a chunk
    std::uint64_t pack = 0;   // as extents name it
    std::uint32_t chunk = 0;  // in the pack
  };
  ExtentCursor() = default;
  explicit ExtentCursor(std::vector<Extent> extents) : m_extents(std::move(extents)) {}
  // Nothing at the end.
  std::optional<Step> next();
  bool ended() const noexcept { return m_at == m_extents.size(); }

 private:
  std::vector<Extent> m_extents;
  std::size_t m_at = 0;
  std::uint32_t m_in_extent = 0;
};

}  // namespace cairn
