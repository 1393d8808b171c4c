#include "engine/snapshot/content_writer.hpp"

#include "util/interrupt.hpp"
#include "util/thread_pool.hpp"

#include <utility>
#include <vector>

namespace cairn {

namespace {

constexpr std::size_t k_segments_in_flight = 6;

}  // namespace

void ContentWriter::write(const WholeFile& file) {
  PartBuilder parts{m_to.spool, file.rule.kind};
  for (const auto& segment : file.segments) take_segment(segment, file.rule, nullptr, parts);
  parts.flush();
}

ContentWriter::Reading ContentWriter::read(SourceItem& item, PreviousChunks* previous, const Progress& progress) {
  const auto content = item.content->open(item.entry);
  const ChunkRule rule = content->rule();
  if (rule.kind != ChunkRule::Kind::fixed) previous = nullptr;
  PartBuilder parts{m_to.spool, rule.kind};
  Reading done;
  {
    // Used again and again: freed and taken anew, they would leave holes in the heap, and their pages be cleared.
    std::vector<Bytes> buffers;
    OrderedWindow<Segment> window{m_context.cpu, k_segments_in_flight, UINT64_MAX, [&](Segment segment) {
                                    take_segment(segment, rule, previous, parts);
                                    if (segment.hole == 0) buffers.push_back(std::move(segment.bytes));
                                  }};
    std::uint64_t hole_ahead = 0;
    bool ended = false;
    while (auto segment = read_segment(*content, hole_ahead, ended, hole_ahead != 0 ? Bytes{} : take_last(buffers))) {
      check_interrupted();
      done.size += segment->bytes.size() + segment->hole;
      window.push(0, [segment = std::move(*segment), rule]() mutable {
        cut_segment(segment, rule);
        return std::move(segment);
      });
      progress(done.size);
    }
    window.drain();
  }
  parts.flush();
  item.entry.size = done.size;
  done.changed = content->finish() == Content::Outcome::changed;
  done.facts = content->facts();
  done.problem = content->problem();
  return done;
}

void ContentWriter::take_segment(const Segment& segment, const ChunkRule& rule, PreviousChunks* previous,
                                 PartBuilder& parts) {
  m_keep_alive();
  if (segment.hole != 0) {
    parts.hole(segment.hole);
    return;
  }
  ByteView rest{segment.bytes};
  for (std::size_t i = 0; i < segment.lengths.size(); ++i) {
    const auto bytes = rest.first(segment.lengths[i]);
    const ChunkPlace place = place_chunk(segment.digests[i], bytes, rule, previous);
    parts.chunk(segment.digests[i], segment.lengths[i], place);
    rest = rest.subspan(bytes.size());
  }
}

ChunkPlace ContentWriter::place_chunk(const Digest& digest, ByteView bytes, const ChunkRule& rule,
                                      PreviousChunks* previous) {
  if (previous != nullptr) {
    if (const auto chunk = previous->next()) {
      const auto lean = m_to.known.lean().find(chunk->pack);
      if (lean) {
        const Digest* before = previous->digest(*chunk);
        if (before != nullptr && *before == digest) return {*lean, chunk->chunk};
      }
    }
  }
  if (const auto place = m_to.known.find(digest)) return *place;
  const ChunkPlace place = m_to.store.add(digest, bytes);
  m_to.known.add(digest, place, rule.kind);
  return place;
}

}  // namespace cairn
