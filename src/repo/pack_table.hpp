// The packs of a manifest, or of several in one store, found by the name that extents use.
#pragma once

#include "repo/manifest.hpp"
#include "repo/pack.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace cairn {

// Immutable; safe to share between threads.
class PackTable {
 public:
  explicit PackTable(const Manifest& manifest);
  // Of all of them. Nothing where one name means two different packs.
  static std::optional<PackTable> of(std::span<const Manifest* const> manifests);
  // Error(damaged) where no pack has that name: an extent out of its manifest.
  const PackRef& find(std::uint64_t prefix) const;
  const PackRef* find_if_there(std::uint64_t prefix) const noexcept;
  const std::vector<PackRef>& all() const noexcept { return m_packs; }
  // Other packs with the same chunks, which do where the first is damaged.
  std::vector<PackRef> spares(const PackRef& of) const;

 private:
  PackTable() = default;

  std::vector<PackRef> m_packs;
  std::vector<PackRef> m_spares;
  std::unordered_map<std::uint64_t, std::size_t> m_index;
};

}  // namespace cairn
