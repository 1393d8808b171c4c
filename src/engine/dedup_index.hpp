// Which chunks are there already, and where. An open-addressing table of whole digests, bounded in size: past its
// limit new chunks are not remembered, which costs deduplication, never correctness.
#pragma once

#include "codec/digest.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace cairn {

// Where a chunk is, in the terms of one run: in a pack that it leans on, or in a frame that it wrote.
struct ChunkPlace {
  std::uint32_t source = 0;  // index of a leaned-on pack, or k_own_frame | number of the frame
  std::uint32_t chunk = 0;   // in that pack, or in that frame
};
inline constexpr std::uint32_t k_own_frame = 0x80000000;
inline constexpr std::uint32_t k_hole_source = 0xffffffff;

// One thread.
class DedupIndex {
 public:
  explicit DedupIndex(std::size_t max_entries);
  // The first place of a digest stays.
  void insert(const Digest& digest, ChunkPlace place);
  std::optional<ChunkPlace> find(const Digest& digest) const;
  std::size_t size() const noexcept { return m_size; }

 private:
  struct Slot {
    Digest digest;
    ChunkPlace place;
    bool used = false;
  };
  std::size_t slot_of(const Digest& digest) const noexcept;
  void grow();

  std::size_t m_max;
  std::size_t m_size = 0;
  std::vector<Slot> m_slots;
};

}  // namespace cairn
