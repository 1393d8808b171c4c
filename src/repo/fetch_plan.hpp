// What a restore is going to read, known before it reads: every frame once, in runs that one request fetches, in the
// order of their first use. Packs that are needed as good as whole are one run each, directory and all.
#pragma once

#include "repo/pack.hpp"
#include "repo/pack_directory.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace cairn {

// One request covers at most this much; more would only delay the first byte that can be used.
inline constexpr std::uint64_t k_max_run = 16ULL << 20;
// Bytes between two wanted frames that are cheaper to read than a request of their own.
inline constexpr std::uint64_t k_max_gap = 128ULL << 10;

// Whether one request for the whole object is better than one for its directory and some for what the snapshot needs
// of it. Goes by what the manifest says of the pack, which is advice: at worst the request gets too much.
bool worth_whole(const PackRef& pack) noexcept;

// Neighbouring frames of a pack, all of them wanted but for small gaps; or a whole pack.
struct FrameRun {
  std::uint64_t pack = 0;    // as extents name it
  std::uint32_t first = 0;   // frame
  std::uint32_t last = 0;    // frame
  std::uint32_t wanted = 0;  // frames between them that are; 0: not known yet
  std::uint64_t offset = 0;  // of the first, in the data part; of a whole pack: 0
  std::uint64_t length = 0;  // stored bytes up to the end of the last; of a whole pack: its size
  bool whole = false;
};

class FetchPlan {
 public:
  // The frame will be used, now or after all that was wanted before. Once more is as good as once.
  void want(std::uint64_t pack, const PackDirectory& directory, std::uint32_t frame);
  // Some chunks of a pack that is fetched whole. A pack is wanted in one way only. at: bytes of content before them.
  void want_whole(const PackRef& pack, std::uint32_t first, std::uint32_t count, std::uint64_t at);

  std::uint64_t bytes() const noexcept { return m_bytes; }  // stored, of what is wanted
  std::uint64_t packs() const noexcept { return m_packs.size() + m_whole.size(); }
  std::vector<FrameRun> runs() const;
  // Frames of a pack that is fetched whole in which something is wanted.
  std::uint32_t wanted_of_whole(std::uint64_t pack, const PackDirectory& directory) const;
  // Those of them that are wanted again, so much later that nobody has kept them decoded till then.
  std::vector<std::uint32_t> wanted_again(std::uint64_t pack, const PackDirectory& directory) const;

 private:
  struct Wanted {
    std::uint64_t offset = 0;
    std::uint32_t stored_size = 0;
    std::uint32_t order = 0;  // 0: not wanted
  };
  struct Whole {
    std::uint64_t size = 0;
    std::uint32_t order = 0;
    std::vector<std::uint32_t> seen;  // by chunk: where it was wanted last, in MiB and one more; 0: nowhere
    std::vector<bool> again;          // by chunk
  };
  template <class Chosen>
  std::vector<std::uint32_t> frames_of_whole(std::uint64_t pack, const PackDirectory& directory, Chosen chosen) const;
  std::unordered_map<std::uint64_t, std::vector<Wanted>> m_packs;  // by frame
  std::unordered_map<std::uint64_t, Whole> m_whole;
  std::uint32_t m_order = 0;
  std::uint64_t m_bytes = 0;
};

}  // namespace cairn
