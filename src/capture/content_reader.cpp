#include "capture/content_reader.hpp"

#include "codec/chunker.hpp"

namespace cairn {

void cut_segment(Segment& segment, const ChunkRule& rule) {
  switch (rule.kind) {
    case ChunkRule::Kind::fixed:
      segment.lengths = fixed_lengths(segment.bytes.size(), rule.size);
      break;
    case ChunkRule::Kind::files:
      segment.lengths = cdc_lengths(segment.bytes, k_cdc_files);
      break;
    case ChunkRule::Kind::stream:
      segment.lengths = cdc_lengths(segment.bytes, k_cdc_stream);
      break;
  }
  segment.digests.reserve(segment.lengths.size());
  ByteView rest{segment.bytes};
  for (const auto length : segment.lengths) {
    segment.digests.push_back(sha256(rest.first(length)));
    rest = rest.subspan(length);
  }
}

std::optional<Segment> read_segment(Content& content, std::uint64_t& hole_ahead, bool& ended, Bytes buffer) {
  Segment segment;
  if (hole_ahead != 0) {
    segment.hole = std::exchange(hole_ahead, 0);
    return segment;
  }
  if (ended) return std::nullopt;
  // A small file is not worth clearing four megabytes of address space for.
  const std::uint64_t expected = content.expected_size();
  std::size_t capacity = k_segment_size;
  if (expected != 0 && expected < k_segment_size) capacity = static_cast<std::size_t>(expected) + 1;
  segment.bytes = std::move(buffer);
  segment.bytes.resize(capacity);
  std::size_t filled = 0;
  while (filled < k_segment_size) {
    if (filled == segment.bytes.size()) segment.bytes.resize(k_segment_size);
    const auto piece = content.read(ByteSpan{segment.bytes}.subspan(filled));
    if (piece.kind == Content::Piece::Kind::end) {
      ended = true;
      break;
    }
    if (piece.kind == Content::Piece::Kind::hole) {
      hole_ahead = piece.length;
      break;
    }
    filled += piece.length;
  }
  segment.bytes.resize(filled);
  if (filled != 0) return segment;
  return read_segment(content, hole_ahead, ended, std::move(segment.bytes));
}

WholeFile read_whole_file(ContentOpener& opener, Entry& entry, std::uint64_t limit) {
  for (int attempt = 1;; ++attempt) {
    WholeFile out;
    const auto content = opener.open(entry);
    out.rule = content->rule();
    out.problem = content->problem();
    std::uint64_t hole_ahead = 0;
    bool ended = false;
    while (auto segment = read_segment(*content, hole_ahead, ended)) {
      out.size += segment->hole + segment->bytes.size();
      if (out.size > limit && segment->hole == 0) {
        out.too_large = true;
        out.segments.clear();
        return out;
      }
      cut_segment(*segment, out.rule);
      out.segments.push_back(std::move(*segment));
    }
    out.changed = content->finish() == Content::Outcome::changed;
    if (out.changed && attempt < k_read_tries) continue;
    return out;
  }
}

}  // namespace cairn
