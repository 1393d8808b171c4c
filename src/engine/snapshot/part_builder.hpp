// The places of one file's chunks, put together into the parts in which its content is listed.
#pragma once

#include "capture/source.hpp"
#include "codec/digest.hpp"
#include "engine/snapshot/entry_spool.hpp"
#include "repo/format.hpp"

#include <cstddef>
#include <cstdint>

namespace cairn {

// Content that is cut by content ends its parts where a chunk's digest says so, after 256 chunks in the mean and after
// so many at most: an insertion changes the parts around it only.
inline constexpr std::size_t k_max_part_chunks = 4096;

// Adds parts to the spool. Pages, whose chunks lie at fixed offsets, have k_chunks_per_part chunks a part. One thread.
class PartBuilder {
 public:
  PartBuilder(EntrySpool& spool, ChunkRule::Kind rule) : m_spool(spool), m_rule(rule) {}
  PartBuilder(const PartBuilder&) = delete;
  PartBuilder& operator=(const PartBuilder&) = delete;

  void chunk(const Digest& digest, std::uint32_t length, ChunkPlace place) {
    append_place(m_part.extents, place);
    m_part.size += length;
    ++m_chunks;
    const bool end = m_rule == ChunkRule::Kind::fixed ? m_chunks == k_chunks_per_part
                                                      : digest.bytes[0] == 0 || m_chunks == k_max_part_chunks;
    if (end) flush();
  }
  void hole(std::uint64_t bytes) {
    m_part.extents.push_back(local_hole(bytes));
    m_part.size += bytes;
  }
  // Ends the part, if there is one. To be called at the end of the content.
  void flush() {
    if (m_part.size == 0) return;
    m_spool.add_part(m_part);
    m_part = {};
    m_chunks = 0;
  }

 private:
  EntrySpool& m_spool;
  ChunkRule::Kind m_rule;
  LocalPart m_part;
  std::size_t m_chunks = 0;
};

}  // namespace cairn
