#include "engine/restore/cut_index.hpp"

#include "capture/content_reader.hpp"
#include "capture/file_content.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <tuple>
#include <utility>

namespace cairn {

namespace {

constexpr std::size_t k_segments_in_flight = 8;  // of four megabytes

}  // namespace

CutIndex CutIndex::build(ThreadPool& pool, int fd, const struct stat& status, const std::string& shown, ChunkRule rule,
                         std::size_t max_chunks) {
  CutIndex index;
  std::uint64_t offset = 0;
  const auto take = [&](const Segment& segment) {
    for (std::size_t i = 0; i < segment.lengths.size() && index.m_chunks.size() < max_chunks; ++i) {
      index.m_chunks.push_back({segment.digests[i], offset, segment.lengths[i]});
      offset += segment.lengths[i];
    }
    offset += segment.hole;
  };
  OrderedWindow<Segment> window{pool, k_segments_in_flight, UINT64_MAX, take};
  UniqueFd own{::fcntl(fd, F_DUPFD_CLOEXEC, 0)};
  if (!own) throw_errno("open", shown, errno);
  FileContent content{std::move(own), shown, status, rule};
  std::uint64_t hole_ahead = 0;
  bool ended = false;
  const auto failure = any_failure_of([&] {
    while (index.m_chunks.size() < max_chunks) {
      check_interrupted();
      auto segment = read_segment(content, hole_ahead, ended);
      if (!segment) break;
      window.push(0, [segment = std::move(*segment), rule]() mutable {
        cut_segment(segment, rule);
        segment.bytes = {};
        return std::move(segment);
      });
    }
  });
  window.drain();
  const auto earlier = [](const Chunk& a, const Chunk& b) {
    return std::tie(a.digest, a.offset) < std::tie(b.digest, b.offset);
  };
  std::sort(index.m_chunks.begin(), index.m_chunks.end(), earlier);
  return index;
}

std::optional<std::uint64_t> CutIndex::find(const Digest& digest, std::uint32_t length) const {
  const auto at = std::lower_bound(m_chunks.begin(), m_chunks.end(), digest,
                                   [](const Chunk& chunk, const Digest& wanted) { return chunk.digest < wanted; });
  if (at == m_chunks.end() || at->digest != digest || at->length != length) return std::nullopt;
  return at->offset;
}

}  // namespace cairn
