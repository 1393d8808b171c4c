// Which chunks are there already, and where.
#pragma once

#include "codec/digest.hpp"
#include "util/spool_file.hpp"

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

// All digests with their places in a file, in the order of insertion, and a table in memory that finds them: eight
// bytes a chunk, 32 bits of the digest and its number in the file, where the whole digest is compared. The table is
// bounded: when it is full it keeps every second digest, then every fourth (those with low bits of zero). The successor
// of one that was found is looked for where it follows in the file, too, so that long stretches of known content are
// found whole whatever the table holds. Where the table is a sample, new chunks among known ones are taken to stand in
// the place of as many old ones, and the known content is looked for behind those as well. A miss costs deduplication,
// never correctness. After "Sparse Indexing: Large Scale, Inline Deduplication Using Sampling and Locality"
// (Lillibridge et al., FAST 2009). One thread.
class DedupIndex {
 public:
  // scratch: where the file goes; max_table: entries of the table, about 10 bytes each.
  explicit DedupIndex(fs::path scratch, std::size_t max_table = k_max_table);
  static constexpr std::size_t k_max_table = 3'500'000;

  // Of a digest that is there the first place stays, but what follows this one is found after it, too.
  void insert(const Digest& digest, ChunkPlace place);
  std::optional<ChunkPlace> find(const Digest& digest);
  // How much of the table is in use, 0 to 1.
  double fill() const noexcept { return static_cast<double>(m_used) / static_cast<double>(m_max); }
  std::size_t table_size() const noexcept { return m_used; }

 private:
  static constexpr std::size_t k_shards = 64;
  struct Slot {
    std::uint32_t tag;
    std::uint32_t number;  // in the file, plus one; 0: free
  };
  // Shards grow one after the other: no moment at which the table is there twice.
  struct Shard {
    std::vector<Slot> slots;
    std::size_t used = 0;
  };
  Shard& shard_of(const Digest& digest) noexcept;
  bool sampled(std::uint32_t tag) const noexcept;
  void add(Shard& shard, Slot slot);
  void resize(Shard& shard, std::size_t slots);
  void thin_out();
  struct ChunkMatch {
    std::uint32_t record;
    ChunkPlace place;
  };
  std::optional<ChunkMatch> compare(std::uint32_t record, const Digest& digest);
  std::optional<ChunkMatch> look_up(const Digest& digest);
  std::optional<ChunkMatch> follow(const Digest& digest);

  SpoolFile m_records;  // digest, source, chunk
  std::uint32_t m_count = 0;
  std::uint32_t m_next = 0;    // the record after the one found last
  std::uint32_t m_missed = 0;  // digests not found since, of a table that is a sample
  std::size_t m_max;
  std::size_t m_used = 0;
  unsigned m_sampling = 0;  // low bits that are zero in what is kept
  std::vector<Shard> m_shards;
};

}  // namespace cairn
