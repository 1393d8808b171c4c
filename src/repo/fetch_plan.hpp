// What a restore is going to read, known before it reads: every frame once, in runs that one request fetches, in the
// order of their first use.
#pragma once

#include "repo/pack_directory.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace cairn {

// One request covers at most this much; more would only delay the first byte that can be used.
inline constexpr std::uint64_t k_max_run = 8ULL << 20;
// Bytes between two wanted frames that are cheaper to read than a request of their own.
inline constexpr std::uint64_t k_max_gap = 128ULL << 10;

// Neighbouring frames of a pack, all of them wanted but for small gaps.
struct FrameRun {
  std::uint64_t pack = 0;    // as extents name it
  std::uint32_t first = 0;   // frame
  std::uint32_t last = 0;    // frame
  std::uint32_t wanted = 0;  // frames between them that are
  std::uint64_t offset = 0;  // of the first, in the data part
  std::uint64_t length = 0;  // stored bytes up to the end of the last
};

class FetchPlan {
 public:
  // The frame will be used, now or after all that was wanted before. Once more is as good as once.
  void want(std::uint64_t pack, const PackDirectory& directory, std::uint32_t frame);

  std::uint64_t bytes() const noexcept { return m_bytes; }  // stored, of the wanted frames
  std::uint64_t packs() const noexcept { return m_packs.size(); }
  std::vector<FrameRun> runs() const;

 private:
  struct Wanted {
    std::uint64_t offset = 0;
    std::uint32_t stored_size = 0;
    std::uint32_t order = 0;  // 0: not wanted
  };
  std::unordered_map<std::uint64_t, std::vector<Wanted>> m_packs;  // by frame
  std::uint32_t m_order = 0;
  std::uint64_t m_bytes = 0;
};

}  // namespace cairn
