// The packs that a snapshot may refer to without having written them.
#pragma once

#include "repo/pack.hpp"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace cairn {

// One thread while it grows; then safe to share.
class LeanSet {
 public:
  // The index of the pack; one of that logical id is there once. Nothing where another pack has the same prefix.
  // chunks: how many it has, where its directory was read.
  std::optional<std::uint32_t> add(const PackRef& ref, std::uint32_t chunks = 0) {
    const auto [at, fresh] = m_index.emplace(ref.prefix(), static_cast<std::uint32_t>(m_packs.size()));
    if (fresh) {
      m_packs.push_back(ref);
      m_chunks.push_back(chunks);
    } else if (m_packs[at->second].logical_id != ref.logical_id) {
      return std::nullopt;
    }
    return at->second;
  }
  std::optional<std::uint32_t> find(std::uint64_t prefix) const {
    const auto at = m_index.find(prefix);
    return at == m_index.end() ? std::nullopt : std::optional{at->second};
  }
  const PackRef& operator[](std::uint32_t index) const { return m_packs[index]; }
  std::uint32_t chunk_count(std::uint32_t index) const { return m_chunks[index]; }
  const std::vector<PackRef>& all() const noexcept { return m_packs; }

 private:
  std::vector<PackRef> m_packs;
  std::vector<std::uint32_t> m_chunks;
  std::unordered_map<std::uint64_t, std::uint32_t> m_index;
};

}  // namespace cairn
