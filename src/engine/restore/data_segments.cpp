#include "engine/restore/data_segments.hpp"

#include "engine/restore/tar_header.hpp"

#include <algorithm>
#include <utility>

namespace cairn {

namespace {
constexpr std::size_t k_segment_bytes = 16;
constexpr std::uint64_t k_read_at_once = 256;
}  // namespace

void DataSegments::add(const DataRange& data) {
  if (data.length == 0) return;
  if (m_last && m_last->end() == data.offset) {
    m_last->length += data.length;
    return;
  }
  write_last();
  m_last = data;
}

void DataSegments::write_last() {
  if (!m_last) return;
  Bytes record;
  put_u64(record, m_last->offset);
  put_u64(record, m_last->length);
  m_spool.write(record);
  m_last.reset();
  ++m_count;
}

SegmentRange DataSegments::end_file() {
  write_last();
  const std::uint64_t first = std::exchange(m_first, m_count);
  return {first, m_count - first};
}

std::vector<DataRange> DataSegments::read(std::uint64_t first, std::uint64_t count) {
  count = std::min(count, m_count - first);
  Bytes records(count * k_segment_bytes);
  if (count != 0) m_spool.read(first * k_segment_bytes, records);
  std::vector<DataRange> segments;
  for (std::size_t at = 0; at < records.size(); at += k_segment_bytes) {
    segments.push_back({get_u64(records.data() + at), get_u64(records.data() + at + 8)});
  }
  return segments;
}

std::optional<DataRange> SegmentCursor::next() {
  if (m_given == m_read.size()) {
    if (m_range.count == 0) return std::nullopt;
    m_read = m_all.read(m_range.first, std::min(m_range.count, k_read_at_once));
    m_given = 0;
    m_range.first += m_read.size();
    m_range.count -= m_read.size();
  }
  return m_read[m_given++];
}

std::optional<DataRange> BlockSegmentCursor::widened() {
  const auto data = m_from.next();
  if (!data) return std::nullopt;
  const std::uint64_t begin = data->offset - data->offset % k_tar_block;
  const std::uint64_t end = std::min(m_size, data->end() + tar_padding(data->end()));
  return DataRange{begin, end - begin};
}

std::optional<DataRange> BlockSegmentCursor::next() {
  if (!std::exchange(m_begun, true)) m_ahead = widened();
  auto segment = m_ahead;
  if (!segment) return std::nullopt;
  while ((m_ahead = widened()) && m_ahead->offset <= segment->end()) segment->length = m_ahead->end() - segment->offset;
  return segment;
}

}  // namespace cairn
