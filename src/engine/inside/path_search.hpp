// Entries by their paths, in many snapshots.
#pragma once

#include "engine/inside/looker.hpp"
#include "repo/entry.hpp"
#include "repo/entry_list_text.hpp"
#include "repo/manifest.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace cairn {

// Reads entry lists and nothing else, and of these each chunk once, in however many snapshots it is. One thread.
class PathSearch {
 public:
  using Wanted = std::function<bool(const Entry&)>;
  // wanted: asked once for an entry of a chunk, so it goes by the entry alone.
  PathSearch(Looker& looker, Wanted wanted) : m_looker(looker), m_wanted(std::move(wanted)) {}

  // Those of a snapshot that are wanted, in the order of its list. Error(damaged), StoreError.
  void search(const Manifest& manifest, const std::function<void(const Entry&)>& visit);
  std::uint64_t chunks_read() const noexcept { return m_chunks_read; }

 private:
  // What a chunk of a list holds.
  struct Part {
    bool lines = false;  // it ends where a line does
    std::vector<Entry> found;
  };
  std::shared_ptr<const Part> read_part(std::string_view text);
  void search_by_line(const EntryListText& text, const std::function<void(const Entry&)>& visit);

  Looker& m_looker;
  Wanted m_wanted;
  // Where a pack's name may mean two packs they are kept for one snapshot alone.
  std::map<EntryListText::Place, std::shared_ptr<const Part>> m_parts;
  const SnapshotFrames* m_parts_of = nullptr;
  std::uint64_t m_chunks_read = 0;
};

}  // namespace cairn
