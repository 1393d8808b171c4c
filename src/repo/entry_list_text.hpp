// The text of a snapshot's entry list, from any place in it: it is never read whole.
#pragma once

#include "repo/entry_text.hpp"
#include "repo/extent.hpp"
#include "repo/manifest.hpp"
#include "repo/snapshot_frames.hpp"
#include "util/bytes.hpp"

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// A byte of the list.
struct ListPosition {
  std::uint64_t chunk = 0;  // of the list, counted from its beginning
  std::uint64_t offset = 0;
  auto operator<=>(const ListPosition&) const = default;
};

// Where the chunks of the list are. Thread-safe.
class EntryListText {
 public:
  // Reads what tells where the list is (its extents, about a hundredth of it where they are stored at all), not the
  // list. Error(damaged), Error(no_key) where the manifest is closed, StoreError. frames: of the same snapshot;
  // outlives it.
  EntryListText(SnapshotFrames& frames, const Manifest& manifest);

  std::uint64_t chunk_count() const noexcept { return m_chunks; }
  struct Chunk {
    SnapshotFrames::FramePointer frame;  // holds the bytes
    std::string_view text;
  };
  // Its bytes fit their digest, else Error(damaged).
  Chunk chunk(std::uint64_t number) const;
  // Where it is stored: two snapshots in one store that have a chunk in the same place have the same chunk.
  struct Place {
    std::uint64_t pack = 0;  // as extents name it
    std::uint64_t chunk = 0;
    auto operator<=>(const Place&) const = default;
  };
  Place place(std::uint64_t number) const;
  // Tells that these will soon be asked for: they are on their way when this returns.
  void expect(const std::vector<std::uint64_t>& numbers) const;
  // Where the first line begins that begins in the chunk or behind it; at the end of the list, if none does.
  ListPosition line_from(std::uint64_t chunk) const;

 private:
  struct Stretch {
    std::uint64_t begin;  // number of its first chunk
    Extent extent;
  };
  const Stretch& stretch_of(std::uint64_t number) const;

  SnapshotFrames& m_frames;
  std::vector<Stretch> m_stretches;
  std::uint64_t m_chunks = 0;
};

// Lines one after the other, from some line on. One thread.
class EntryListCursor {
 public:
  // from: where a line begins. text outlives it.
  EntryListCursor(const EntryListText& text, ListPosition from) : m_text(text) { move_to(from); }

  // Where the next line begins; at the end: the end of the list.
  ListPosition position() const noexcept { return m_at; }
  void move_to(ListPosition to);
  // Nothing at the end. Error(damaged).
  std::optional<EntryLine> next();

 private:
  bool enter();
  const EntryListText& m_text;
  ListPosition m_at;
  std::optional<EntryListText::Chunk> m_chunk;  // the one that m_at is in
  std::string m_buffer;                         // of a line that spans chunks
  EntryLineParser m_parser;
};

}  // namespace cairn
