// Whether two contents are the same bytes: by digests of chunks, and by bytes only where they were cut differently.
#pragma once

#include "capture/content_reader.hpp"
#include "capture/source.hpp"
#include "codec/digest.hpp"
#include "repo/entry_list.hpp"
#include "repo/extent_cursor.hpp"
#include "repo/frame_fetcher.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// A content from its beginning, piece by piece. One thread.
class ContentCursor {
 public:
  struct Piece {
    std::uint64_t length = 0;
    bool hole = false;
    Digest digest;  // of a chunk
  };
  // The extents of a part of a snapshot's file that was not begun yet: two equal parts need no look at their packs.
  struct UntouchedPart {
    std::uint64_t size = 0;
    std::vector<Extent> extents;
    bool operator==(const UntouchedPart&) const = default;
  };

  ContentCursor() = default;
  ContentCursor(const ContentCursor&) = delete;
  ContentCursor& operator=(const ContentCursor&) = delete;
  virtual ~ContentCursor() = default;

  // The next piece, nothing at the end. Throws Error(damaged), StoreError, SourceError.
  virtual std::optional<Piece> next() = 0;
  // The bytes of the chunk that next() gave last; valid until the next call.
  virtual ByteView bytes() = 0;
  // The part that next() would begin, or null where it is within one or has no parts.
  virtual const UntouchedPart* part_ahead() { return nullptr; }
  virtual void drop_part() {}
};

// Reads both from where they are, to the end or the first difference.
bool same_content(ContentCursor& a, ContentCursor& b);

// The content of the entry that `line` is; part lines are taken from the reader as they are needed. All must outlive
// it.
class SnapshotCursor : public ContentCursor {
 public:
  SnapshotCursor(FrameFetcher& fetcher, EntryListReader& reader, const EntryLine& line);
  std::optional<Piece> next() override;
  ByteView bytes() override;
  const UntouchedPart* part_ahead() override;
  void drop_part() override { m_part.reset(); }

 private:
  void take_part();
  FrameFetcher& m_fetcher;
  EntryListReader& m_reader;
  std::uint64_t m_parts_left;
  std::optional<UntouchedPart> m_part;  // not begun
  ExtentCursor m_extents;
  std::uint64_t m_pack = 0;   // of the last chunk
  std::uint32_t m_chunk = 0;  // the last one
  std::shared_ptr<const DecodedFrame> m_frame;
};

// A live file's content, cut and hashed while it is read.
class LiveCursor : public ContentCursor {
 public:
  explicit LiveCursor(Content& content) : m_content(content), m_rule(content.rule()) {}
  std::optional<Piece> next() override;
  ByteView bytes() override;

 private:
  Content& m_content;
  ChunkRule m_rule;
  std::optional<Segment> m_segment;
  std::size_t m_chunk = 0;  // next of the segment
  std::size_t m_begin = 0;  // of the last one, in the segment's bytes
  std::size_t m_end = 0;
  std::uint64_t m_hole_ahead = 0;
  bool m_ended = false;
};

}  // namespace cairn
