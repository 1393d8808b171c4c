// Digests of chunks in packs that are read side by side, each of them from its beginning to its end.
#pragma once

#include "repo/pack_directory.hpp"
#include "util/lru.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace cairn {

// A page file that changed here and there for weeks has its chunks in dozens of packs, and its neighbours in different
// ones. Of each pack only the digests that come next are kept: a whole directory would take many times as much, and be
// decoded anew at every change of pack once they do not all fit. A second window of a pack is for what comes again and
// again from further back, as pages that are all zero. One thread.
class DigestWindows {
 public:
  // load: the directory of a pack as extents name it, or null where it cannot be read.
  // limit: bytes of digests that are kept; those of the last pack are in any case.
  using Load = std::function<std::shared_ptr<const PackDirectory>(std::uint64_t pack)>;
  explicit DigestWindows(Load load, std::uint64_t limit = k_memory) : m_load(std::move(load)), m_limit(limit) {}
  static constexpr std::uint64_t k_memory = 16ULL << 20;

  // Null where the pack cannot be read or has no such chunk. Valid until the next call.
  const Digest* find(std::uint64_t pack, std::uint32_t chunk);

 private:
  struct Window {
    std::uint32_t first = 0;
    std::vector<Digest> digests;
    const Digest* find(std::uint32_t chunk) const noexcept {
      return chunk >= first && chunk - first < digests.size() ? &digests[chunk - first] : nullptr;
    }
  };
  struct Pack {
    Window latest;   // the one that was used last
    Window earlier;  // empty until a chunk from before the latest was asked for
    const Digest* find(std::uint32_t chunk);
    std::uint64_t bytes() const noexcept { return (latest.digests.size() + earlier.digests.size()) * sizeof(Digest); }
  };
  static void fill(Window& window, const PackDirectory& directory, std::uint32_t first);

  Load m_load;
  std::uint64_t m_limit;
  Lru<std::uint64_t, Pack> m_packs;
};

}  // namespace cairn
