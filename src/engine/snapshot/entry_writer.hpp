// The last step of a snapshot: spooled entries become the entry list, stored as chunks itself.
#pragma once

#include "engine/snapshot/chunk_store.hpp"
#include "engine/snapshot/dedup_index.hpp"
#include "engine/snapshot/entry_spool.hpp"
#include "engine/snapshot/lean_set.hpp"
#include "repo/manifest.hpp"
#include "repo/repository.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace cairn {

// Turns places of this run into extents, and notes which chunks of which pack the snapshot refers to. One thread.
class PlaceResolver {
 public:
  // lean: with the packs' numbers of chunks.
  PlaceResolver(const LeanSet& lean, const ChunkStore& store) : m_lean(lean), m_store(store) {}
  // Own places must be in closed packs.
  std::vector<Extent> resolve(const std::vector<LocalExtent>& local);
  // Every pack referred to, with live_bytes filled in (from the share of chunks: advice, so the mean will do).
  // Error(failed) where two have equal prefixes.
  std::vector<PackRef> used_packs() const;

 private:
  struct Use {
    PackRef ref;
    std::vector<bool> chunks;
  };
  void note(const PackRef& ref, std::uint32_t chunk_count, std::uint32_t first, std::uint32_t count);
  const LeanSet& m_lean;
  const ChunkStore& m_store;
  std::unordered_map<Digest, Use, DigestHash> m_uses;  // by logical id
};

// Stores the list (and lists of its extents, while those are long), in packs of their own. Each level ends its pack: a
// level names the packs of the one below. index: of chunks in packs that hold lists.
Root write_entry_list(EntrySpool& spool, ChunkStore& store, DedupIndex& index, PlaceResolver& resolver);

}  // namespace cairn
