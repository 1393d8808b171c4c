// Digests of chunks in packs that are read side by side, each of them from its beginning to its end.
#pragma once

#include "repo/pack_directory.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

namespace cairn {

// A page file that changed here and there for weeks has its chunks in dozens of packs, and its neighbours in different
// ones. Of each pack only the digests that come next are kept: a whole directory would take many times as much, and be
// decoded anew at every change of pack once they do not all fit. One thread.
class DigestWindows {
 public:
  // load: the directory of a pack as extents name it, or null where it cannot be read.
  // limit: bytes of digests that are kept; at least one window is.
  using Load = std::function<std::shared_ptr<const PackDirectory>(std::uint64_t pack)>;
  explicit DigestWindows(Load load, std::uint64_t limit = k_memory) : m_load(std::move(load)), m_limit(limit) {}
  static constexpr std::uint64_t k_memory = 16ULL << 20;

  // Null where the pack cannot be read or has no such chunk. Valid until the next call.
  const Digest* find(std::uint64_t pack, std::uint32_t chunk);

 private:
  struct Window {
    std::uint32_t first = 0;
    std::vector<Digest> digests;
    std::list<std::uint64_t>::iterator age;
    const Digest* find(std::uint32_t chunk) const noexcept {
      return chunk >= first && chunk - first < digests.size() ? &digests[chunk - first] : nullptr;
    }
  };
  void fill(Window& window, const PackDirectory& directory, std::uint32_t first);
  void make_room(std::uint64_t pack);

  Load m_load;
  std::uint64_t m_limit;
  std::uint64_t m_bytes = 0;
  std::unordered_map<std::uint64_t, Window> m_windows;  // by pack
  std::list<std::uint64_t> m_ages;                      // newest first
};

}  // namespace cairn
