#include "engine/restore/known_extents.hpp"

#include <algorithm>

namespace cairn {

void append_extent(KnownExtents& to, const PlannedWrite& next) {
  if (!to.empty()) {
    KnownExtent& last = to.back();
    if (last.chunks.pack == next.source.pack && last.chunks.first + last.chunks.count == next.source.first &&
        last.offset + last.length == next.offset) {
      last.length += next.length;
      last.chunks.count += next.source.count;
      return;
    }
  }
  to.push_back({next.offset, next.length, next.source});
}

namespace {

// One extent, walked through once: the lengths of its chunks say where in the file each of them is.
class Walk {
 public:
  Walk(const KnownExtent& extent, const PackDirectory& directory)
      : m_end(extent.chunks.first + extent.chunks.count),
        m_chunk(extent.chunks.first),
        m_offset(extent.offset),
        m_directory(&directory) {}

  // Ascending from call to call.
  bool has(std::uint32_t chunk, std::uint64_t offset) {
    while (m_chunk < chunk && m_chunk < m_end && m_chunk < m_directory->chunk_count()) {
      m_offset += m_directory->length(m_chunk++);
    }
    return m_chunk == chunk && m_chunk < m_end && m_offset == offset;
  }

 private:
  std::uint32_t m_end;
  std::uint32_t m_chunk;
  std::uint64_t m_offset;
  const PackDirectory* m_directory;
};

}  // namespace

void find_known(const KnownExtents& known, std::uint64_t offset, const PackDirectory& directory,
                const ChunkRange& chunks, const std::function<void(std::uint32_t)>& found) {
  auto extent = std::upper_bound(known.begin(), known.end(), offset,
                                 [](std::uint64_t at, const KnownExtent& one) { return at < one.offset; });
  if (extent != known.begin()) --extent;
  if (extent == known.end()) return;
  Walk walk{*extent, directory};
  for (std::uint32_t i = 0; i < chunks.count; ++i) {
    while (offset >= extent->offset + extent->length) {
      if (++extent == known.end()) return;
      walk = Walk{*extent, directory};
    }
    if (extent->chunks.pack == chunks.pack && walk.has(chunks.first + i, offset)) found(i);
    offset += directory.length(chunks.first + i);
  }
}

}  // namespace cairn
