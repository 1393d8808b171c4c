// The series' previous snapshot, read along with the walk of the source.
#pragma once

#include "engine/context.hpp"
#include "engine/snapshot/digest_windows.hpp"
#include "repo/entry_list.hpp"
#include "repo/extent_cursor.hpp"
#include "repo/frame_fetcher.hpp"
#include "util/error.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>

namespace cairn {

// One thread. A previous snapshot that turns out damaged ends the comparison with a warning: the rest of the source is
// read as if it were new.
class PreviousEntries {
 public:
  PreviousEntries(Context& context, const Manifest& manifest);
  PreviousEntries(const PreviousEntries&) = delete;
  PreviousEntries& operator=(const PreviousEntries&) = delete;

  // The entry of that path, or null. Paths are asked for in ascending order. Valid until the next call.
  const Entry* seek(std::string_view path);
  struct ContentPart {
    std::uint64_t size = 0;
    std::vector<Extent> extents;
  };
  // The content of the entry found last, part by part, each once: nothing at the end. An entry without part lines is
  // one part.
  std::optional<ContentPart> next_part();

  // The digest of a chunk of that snapshot, or null where its directory cannot be read. Valid until the next call.
  const Digest* digest(std::uint64_t pack, std::uint32_t chunk) { return m_digests.find(pack, chunk); }

 private:
  void advance();
  template <class F>
  void give_up_if_damaged(F&& read);
  void give_up(const Error& e);
  std::shared_ptr<const PackDirectory> directory(std::uint64_t pack);

  Context& m_context;
  PackTable m_packs;
  std::unique_ptr<FrameFetcher> m_fetcher;
  std::unique_ptr<EntryListReader> m_reader;
  std::optional<EntryLine> m_line;  // read, not passed yet
  std::uint64_t m_parts_left = 0;
  DigestWindows m_digests;
};

// The chunks of a page file's previous version, one after the other, for comparison by position.
class PreviousChunks {
 public:
  // parts: those taken from entries already; what follows them is taken from there.
  PreviousChunks(PreviousEntries& entries, std::deque<PreviousEntries::ContentPart> parts)
      : m_entries(entries), m_parts(std::move(parts)) {}
  struct Chunk {
    std::uint64_t pack;
    std::uint32_t chunk;
  };
  std::optional<Chunk> next();
  // As PreviousEntries::digest().
  const Digest* digest(const Chunk& chunk) { return m_entries.digest(chunk.pack, chunk.chunk); }

 private:
  bool next_part();
  PreviousEntries& m_entries;
  std::deque<PreviousEntries::ContentPart> m_parts;
  ExtentCursor m_extents;
};

}  // namespace cairn
