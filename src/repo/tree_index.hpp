// A snapshot's entries by path, found by seeks into its entry list.
#pragma once

#include "repo/entry.hpp"
#include "repo/entry_list_text.hpp"
#include "repo/extent.hpp"
#include "repo/manifest.hpp"
#include "repo/snapshot_frames.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace cairn {

struct IndexedEntry {
  Entry entry;
  std::vector<Extent> extents;  // of a file whose content is not in parts
  std::uint64_t parts = 0;      // lines that tell of its content, at behind
  ListPosition behind;          // the line after its own
};

// Looks at a few chunks of the list for each question, whatever its size: their number grows with its logarithm. Each
// entry that is returned is as a list may have it, and of the signed record; that the list is in order is not checked
// as a whole: where it is not, entries are not found. Thread-safe.
class TreeIndex {
 public:
  // Throws what EntryListText() does. frames: of the same snapshot; outlives it.
  TreeIndex(SnapshotFrames& frames, const Manifest& manifest);

  const EntryListText& text() const noexcept { return m_text; }

  // "." is the root of a tree. Error(damaged), Error(no_key), StoreError.
  std::optional<IndexedEntry> find(std::string_view path) const;

  // The entries in a directory itself, in order, until visit returns false. after: the path of one of them: only those
  // that follow it. False where there is no such directory. A snapshot of a single file has it in ".".
  using Visit = std::function<bool(const IndexedEntry&)>;
  bool children(std::string_view directory, const Visit& visit, std::string_view after = {}) const;

 private:
  struct LocatedEntry {
    IndexedEntry entry;
    ListPosition at;
  };
  std::optional<LocatedEntry> next_entry(EntryListCursor& cursor) const;
  std::optional<LocatedEntry> entry_from(std::uint64_t chunk) const;
  template <class Before>
  std::optional<LocatedEntry> first_not(ListPosition from, Before before) const;
  std::uint64_t past_gap(std::uint64_t chunk) const;
  void note_gap(std::uint64_t begin, std::uint64_t end) const;

  EntryListText m_text;
  bool m_single_file;
  mutable std::mutex m_mutex;
  // Stretches of chunks, begin and end, in which no entry begins: they tell of the parts of a large file.
  mutable std::map<std::uint64_t, std::uint64_t> m_gaps;
};

}  // namespace cairn
