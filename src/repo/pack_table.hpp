// The packs of one manifest, found by the name that extents use.
#pragma once

#include "repo/pack.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace cairn {

// Immutable; safe to share between threads.
class PackTable {
 public:
  explicit PackTable(std::vector<PackRef> packs);
  // Error(damaged) where no pack has that name: an extent out of its manifest.
  const PackRef& find(std::uint64_t prefix) const;
  const PackRef* find_if_there(std::uint64_t prefix) const noexcept;
  const std::vector<PackRef>& all() const noexcept { return m_packs; }

 private:
  std::vector<PackRef> m_packs;
  std::unordered_map<std::uint64_t, std::size_t> m_index;
};

}  // namespace cairn
