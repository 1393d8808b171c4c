// Reading a snapshot's entry list, from its root in the manifest to lines. Memory is bounded whatever its size.
#pragma once

#include "repo/entry_order.hpp"
#include "repo/entry_text.hpp"
#include "repo/extent_cursor.hpp"
#include "repo/frame_fetcher.hpp"
#include "repo/manifest.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace cairn {

// Extents, one after the other.
class ExtentSource {
 public:
  virtual ~ExtentSource() = default;
  virtual std::optional<Extent> next() = 0;
};

// Where the chunks of a snapshot's entry list are, in their order. Where they are stored in a list of their own, they
// are read as they are asked for. Error(no_key) where the manifest is closed.
std::unique_ptr<ExtentSource> entry_list_extents(FrameFetcher& fetcher, const Manifest& manifest);

// A run of content as chunks, in order, with the frames ahead being fetched. One thread.
class ChunkReader {
 public:
  // Extents without holes. Chunks are verified.
  ChunkReader(FrameFetcher& fetcher, std::unique_ptr<ExtentSource> extents);
  // The bytes are valid until the next call. Nothing at the end.
  std::optional<ByteView> next();

 private:
  struct Item {
    FrameFetcher::Future frame;
    std::uint64_t pack;
    std::uint32_t chunk;
  };
  void look_ahead();
  const Extent& checked(const Extent& extent);
  FrameFetcher& m_fetcher;
  std::unique_ptr<ExtentSource> m_extents;
  ExtentCursor m_extent;  // the one that is being taken apart
  bool m_ended = false;
  std::deque<Item> m_window;
  std::shared_ptr<const DecodedFrame> m_current;
};

// Entries in their order. Checks what a restore relies on: their shape (EntryOrder), and that parts follow their entry
// and add up to its size. Error(damaged) else. It is for those who follow the extents to compare what they hold with
// the size.
class EntryListReader {
 public:
  EntryListReader(FrameFetcher& fetcher, const Manifest& manifest);
  // An entry with the parts that follow it still to come: the caller takes exactly `parts` lines by next_part().
  std::optional<EntryLine> next();
  EntryLine next_part();
  // Takes the parts that the last entry still has.
  void skip_parts();

 private:
  std::optional<std::string_view> next_line();
  std::unique_ptr<ChunkReader> m_chunks;
  std::uint64_t m_left;  // bytes of the list still to come
  std::string m_buffer;  // of lines that span chunks
  std::size_t m_position = 0;
  EntryLineParser m_parser;
  EntryOrder m_order;
  std::uint64_t m_parts_left = 0;
  std::uint64_t m_bytes_left = 0;  // of the entry whose parts are being read
};

}  // namespace cairn
