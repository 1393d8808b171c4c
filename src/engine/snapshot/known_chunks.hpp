// Chunks that need not be stored again: those in the packs that a snapshot leans on, and those that it stored itself.
#pragma once

#include "capture/source.hpp"
#include "codec/digest.hpp"
#include "engine/context.hpp"
#include "engine/snapshot/dedup_index.hpp"
#include "engine/snapshot/lean_set.hpp"
#include "util/file.hpp"

#include <cstddef>
#include <optional>

namespace cairn {

// How full the index of content may be for what other series hold, and for the pages of a large database, which are
// compared by their position: they must not crowd out everything else. Less than half: so full is the table whenever it
// was thinned out.
inline constexpr double k_fill_by_others = 0.45;

// One thread.
class KnownChunks {
 public:
  // scratch: where the indexes' files go.
  explicit KnownChunks(const fs::path& scratch) : m_content(scratch), m_lists(scratch) {}
  KnownChunks(const KnownChunks&) = delete;
  KnownChunks& operator=(const KnownChunks&) = delete;

  // Reads the directories of the packs. A pack whose directory is gone, wrong or closed to this host is not leaned on:
  // what it held is stored again from the source, which a warning says. first_other: the first pack of another series;
  // these come last, and only as far as the index has room. Throws StoreError. Once, before anything else.
  void index_packs(Context& context, const LeanSet& chosen, std::size_t first_other);

  // The packs that were read.
  const LeanSet& lean() const noexcept { return m_lean; }
  std::optional<ChunkPlace> find(const Digest& digest) { return m_content.find(digest); }
  // Notes a chunk of content that was stored.
  void add(const Digest& digest, ChunkPlace place, ChunkRule::Kind rule) {
    if (rule != ChunkRule::Kind::fixed || m_content.fill() <= k_fill_by_others) m_content.insert(digest, place);
  }
  // Of entry lists: an index of its own, as this host can open those where it cannot open content.
  DedupIndex& lists() noexcept { return m_lists; }

 private:
  LeanSet m_lean;
  DedupIndex m_content;
  DedupIndex m_lists;
};

}  // namespace cairn
