// Content of files into chunks, which are stored where nothing holds them yet, and into parts in the spool.
#pragma once

#include "capture/content_reader.hpp"
#include "capture/source.hpp"
#include "engine/context.hpp"
#include "engine/snapshot/chunk_store.hpp"
#include "engine/snapshot/entry_spool.hpp"
#include "engine/snapshot/known_chunks.hpp"
#include "engine/snapshot/part_builder.hpp"
#include "engine/snapshot/previous_entries.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace cairn {

// Used by one thread; files are read and cut in the context's pool.
class ContentWriter {
 public:
  // Where content goes; all outlive the writer.
  struct Outlets {
    KnownChunks& known;
    ChunkStore& store;
    EntrySpool& spool;
  };
  // keep_alive: called at least once a segment (CommitProtocol::keep_alive()).
  ContentWriter(Context& context, Outlets outlets, std::function<void()> keep_alive)
      : m_context(context), m_to(outlets), m_keep_alive(std::move(keep_alive)) {}
  ContentWriter(const ContentWriter&) = delete;
  ContentWriter& operator=(const ContentWriter&) = delete;

  // A file that was read whole.
  void write(const WholeFile& file);

  // One reading of a file, segment by segment.
  struct Reading {
    std::uint64_t size = 0;
    bool changed = false;  // while it was read: the parts in the spool are no one state
    std::string problem;   // Content::problem()
    std::string facts;     // Content::facts()
  };
  using Progress = std::function<void(std::uint64_t done)>;
  // Opens the item's content, which may update the entry, and reads it to its end; the entry gets the size that was
  // read. previous: chunks to compare pages with by their position, or null. Throws SourceError (the parts so far stay
  // in the spool), StoreError.
  Reading read(SourceItem& item, PreviousChunks* previous, const Progress& progress);

 private:
  void take_segment(const Segment& segment, const ChunkRule& rule, PreviousChunks* previous, PartBuilder& parts);
  ChunkPlace place_chunk(const Digest& digest, ByteView bytes, const ChunkRule& rule, PreviousChunks* previous);

  Context& m_context;
  Outlets m_to;
  std::function<void()> m_keep_alive;
};

}  // namespace cairn
