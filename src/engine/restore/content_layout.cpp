#include "engine/restore/content_layout.hpp"

#include "repo/content_runs.hpp"

namespace cairn {

PlannedWrite ContentLayout::place(const ChunkRange& chunks, const PackDirectory& directory) {
  const std::uint64_t length = length_of_chunks(m_path, directory, chunks.first, chunks.count, m_size - m_end);
  const PlannedWrite write{m_end, length, chunks};
  m_end += length;
  return write;
}

void ContentLayout::skip(std::uint64_t bytes) {
  m_end += length_of_hole(m_path, bytes, m_size - m_end);
}

void ContentLayout::check_part(std::uint64_t end) const {
  check_part_length(m_path, m_end, end);
}

void ContentLayout::check_whole() const {
  check_content_length(m_path, m_end, m_size);
}

}  // namespace cairn
