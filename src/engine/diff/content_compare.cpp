#include "engine/diff/content_compare.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

namespace {

// The rest of the piece that a cursor gave last.
struct Rest {
  ContentCursor& cursor;
  ContentCursor::Piece piece = {};
  std::uint64_t used = 0;
  bool ended = false;

  explicit Rest(ContentCursor& of) : cursor(of) {}
  std::uint64_t left() const noexcept { return piece.length - used; }
  void refill() {
    while (!ended && left() == 0) {
      const auto next = cursor.next();
      used = 0;
      piece = next.value_or(ContentCursor::Piece{});
      ended = !next;
    }
  }
};

bool all_zero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool same_bytes(Rest& a, Rest& b, std::uint64_t length) {
  const auto slice = [&](Rest& side) {
    return side.piece.hole ? ByteView{} : side.cursor.bytes().subspan(side.used, length);
  };
  if (a.piece.hole && b.piece.hole) return true;
  const ByteView left = slice(a);
  const ByteView right = slice(b);
  if (a.piece.hole) return all_zero(right);
  if (b.piece.hole) return all_zero(left);
  return std::equal(left.begin(), left.end(), right.begin(), right.end());
}

}  // namespace

bool same_content(ContentCursor& a, ContentCursor& b) {
  Rest left{a};
  Rest right{b};
  for (;;) {
    check_interrupted();
    if (left.left() == 0 && right.left() == 0) {
      for (;;) {
        const auto* part = a.part_ahead();
        const auto* other = b.part_ahead();
        if (part == nullptr || other == nullptr || !(*part == *other)) break;
        a.drop_part();
        b.drop_part();
      }
    }
    left.refill();
    right.refill();
    if (left.ended || right.ended) return left.ended == right.ended;
    const std::uint64_t length = std::min(left.left(), right.left());
    const bool whole_chunks = left.used == 0 && right.used == 0 && left.piece.length == right.piece.length &&
                              !left.piece.hole && !right.piece.hole;
    if (whole_chunks ? left.piece.digest != right.piece.digest : !same_bytes(left, right, length)) return false;
    left.used += length;
    right.used += length;
  }
}

SnapshotCursor::SnapshotCursor(FrameFetcher& fetcher, EntryListReader& reader, const EntryLine& line)
    : m_fetcher(fetcher), m_reader(reader), m_parts_left(line.parts) {
  if (line.parts == 0) m_part = UntouchedPart{line.entry ? line.entry->size : 0, line.extents};
}

void SnapshotCursor::take_part() {
  if (m_part || m_parts_left == 0) return;
  EntryLine line = m_reader.next_part();
  --m_parts_left;
  m_part = UntouchedPart{line.part_size, std::move(line.extents)};
}

const ContentCursor::UntouchedPart* SnapshotCursor::part_ahead() {
  if (!m_extents.ended()) return nullptr;
  take_part();
  return m_part ? &*m_part : nullptr;
}

std::optional<ContentCursor::Piece> SnapshotCursor::next() {
  auto step = m_extents.next();
  while (!step) {
    take_part();
    if (!m_part) return std::nullopt;
    m_extents = ExtentCursor{std::move(m_part->extents)};
    m_part.reset();
    step = m_extents.next();
  }
  Piece piece;
  if (step->hole != 0) {
    piece.length = step->hole;
    piece.hole = true;
    return piece;
  }
  const auto directory = m_fetcher.directory(step->pack);
  m_pack = step->pack;
  m_chunk = step->chunk;
  if (m_chunk >= directory->chunk_count()) {
    throw Error(ErrorKind::damaged, fmt::format("damaged snapshot: an extent names chunk {} of a pack with {}", m_chunk,
                                                directory->chunk_count()));
  }
  m_frame.reset();
  piece.length = directory->length(m_chunk);
  piece.digest = directory->digest(m_chunk);
  return piece;
}

ByteView SnapshotCursor::bytes() {
  if (!m_frame) {
    const auto directory = m_fetcher.directory(m_pack);
    m_frame = m_fetcher.request({FrameId{m_pack, directory->frame_of(m_chunk)}}).front().get();
  }
  return m_frame->chunk(m_chunk);
}

std::optional<ContentCursor::Piece> LiveCursor::next() {
  while (!m_segment || m_chunk == m_segment->lengths.size()) {
    m_segment = read_segment(m_content, m_hole_ahead, m_ended);
    if (!m_segment) return std::nullopt;
    m_chunk = 0;
    m_end = 0;
    if (m_segment->hole > 0) {
      Piece piece;
      piece.length = m_segment->hole;
      piece.hole = true;
      m_segment.reset();
      return piece;
    }
    cut_segment(*m_segment, m_rule);
  }
  Piece piece;
  piece.length = m_segment->lengths[m_chunk];
  piece.digest = m_segment->digests[m_chunk];
  m_begin = m_end;
  m_end += m_segment->lengths[m_chunk];
  ++m_chunk;
  return piece;
}

ByteView LiveCursor::bytes() {
  return ByteView{m_segment->bytes}.subspan(m_begin, m_end - m_begin);
}

}  // namespace cairn
