// The frames of a snapshot, or of several in one store, for several threads at once.
#pragma once

#include "repo/frame_fetcher.hpp"
#include "repo/manifest.hpp"
#include "repo/pack_source.hpp"
#include "repo/pack_table.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

// Thread-safe, but for threads of its pools: those would wait for themselves. Requests are made one after the other and
// waited for side by side. A failure is not remembered: the frame is tried again when it is asked for again.
class SnapshotFrames {
 public:
  using FramePointer = std::shared_ptr<const DecodedFrame>;

  // keep_bytes: decoded bytes that are kept. All but the manifest outlive it.
  SnapshotFrames(PackSource& from, ThreadPool& io, ThreadPool& pool, const Manifest& manifest, std::uint64_t keep_bytes)
      : SnapshotFrames(from, io, pool, PackTable{manifest}, keep_bytes) {}
  // Of several: a frame that they share is fetched once.
  SnapshotFrames(PackSource& from, ThreadPool& io, ThreadPool& pool, PackTable packs, std::uint64_t keep_bytes)
      : m_packs(std::move(packs)), m_fetcher(from, io, pool, m_packs, keep_bytes) {}

  // Those with the ids, in order. Error(damaged) naming the pack, Error(no_key), StoreError.
  std::vector<FramePointer> get(const std::vector<FrameId>& ids);
  // Begins to fetch what of them is not kept, and does not wait for it: get() finds it. No failure is told.
  void expect(const std::vector<FrameId>& ids);
  // Those of them that failed, or have a damaged chunk, are read anew when they are asked for again.
  void forget(const std::vector<FrameId>& ids);
  // The directory of a pack as extents name it. The same errors.
  std::shared_ptr<const PackDirectory> directory(std::uint64_t pack);
  // Fetches several of them side by side, as far as they are not at hand. No failure is told.
  void expect_directories(const std::vector<std::uint64_t>& packs);
  // Of a pack as extents name it, the key of its object.
  std::string key_of(std::uint64_t pack) const;
  // For callers that need the fetcher for themselves.
  template <class F>
  auto alone(F use) {
    const std::scoped_lock lock{m_mutex};
    return use(m_fetcher);
  }

 private:
  PackTable m_packs;
  std::mutex m_mutex;
  FrameFetcher m_fetcher;
};

}  // namespace cairn
