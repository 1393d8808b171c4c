#include "engine/dedup_index.hpp"

#include <cstring>
#include <utility>

namespace cairn {

namespace {
constexpr std::size_t k_initial_slots = 1024;
}

DedupIndex::DedupIndex(std::size_t max_entries) : m_max(max_entries), m_slots(k_initial_slots) {}

std::size_t DedupIndex::slot_of(const Digest& digest) const noexcept {
  std::uint64_t hash = 0;
  std::memcpy(&hash, digest.bytes.data(), sizeof hash);
  const std::size_t mask = m_slots.size() - 1;
  std::size_t at = static_cast<std::size_t>(hash) & mask;
  while (m_slots[at].used && m_slots[at].digest != digest) at = (at + 1) & mask;
  return at;
}

void DedupIndex::insert(const Digest& digest, ChunkPlace place) {
  std::size_t at = slot_of(digest);
  if (m_slots[at].used || m_size >= m_max) return;
  if ((m_size + 1) * 10 > m_slots.size() * 7) {
    grow();
    at = slot_of(digest);
  }
  m_slots[at] = {digest, place, true};
  ++m_size;
}

std::optional<ChunkPlace> DedupIndex::find(const Digest& digest) const {
  const Slot& slot = m_slots[slot_of(digest)];
  if (!slot.used) return std::nullopt;
  return slot.place;
}

void DedupIndex::grow() {
  std::vector<Slot> old = std::exchange(m_slots, std::vector<Slot>(m_slots.size() * 2));
  for (const auto& slot : old) {
    if (slot.used) m_slots[slot_of(slot.digest)] = slot;
  }
}

}  // namespace cairn
