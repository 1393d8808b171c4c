#include "engine/restore/content_layout.hpp"

#include "util/error.hpp"

#include <fmt/format.h>

namespace cairn {

void ContentLayout::refuse(std::string_view cause) const {
  throw Error(ErrorKind::damaged, fmt::format("damaged content of {}: {}", quote(m_path), cause));
}

PlannedWrite ContentLayout::place(const ChunkRange& chunks, const PackDirectory& directory) {
  const std::uint64_t last = std::uint64_t{chunks.first} + chunks.count;
  if (last > directory.chunk_count()) refuse("an extent out of its pack");
  PlannedWrite write{m_end, 0, chunks};
  for (std::uint32_t i = 0; i < chunks.count; ++i) write.length += directory.length(chunks.first + i);
  if (write.length > m_size - m_end) refuse("chunks beyond its end");
  m_end += write.length;
  return write;
}

void ContentLayout::skip(std::uint64_t bytes) {
  if (bytes > m_size - m_end) refuse("a hole beyond its end");
  m_end += bytes;
}

void ContentLayout::check_part(std::uint64_t end) const {
  if (m_end != end) refuse("a part has another size than its chunks");
}

void ContentLayout::check_whole() const {
  if (m_end != m_size) refuse("it has another size than its chunks");
}

}  // namespace cairn
