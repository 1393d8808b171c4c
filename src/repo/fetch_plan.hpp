// The reads of a restore, known before it reads: every frame once, in runs that one request fetches, in the order of
// their first use. Packs that are needed as good as whole are one run each, directory and all.
#pragma once

#include "repo/pack.hpp"
#include "repo/pack_directory.hpp"
#include "store/object_store.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace cairn {

// One request covers at most this much; more would only delay the first byte that can be used.
inline constexpr std::uint64_t k_max_run = 16ULL << 20;
// Bytes between two wanted frames that are cheaper to read than a request of their own.
inline constexpr std::uint64_t k_max_gap = 128ULL << 10;

// Of the bytes that may be read ahead, those that may wait for their use for long while others come and go.
constexpr std::uint64_t held_ahead(std::uint64_t limit) noexcept {
  return limit - limit / 4;
}

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

// A run is fetched in pieces of about that size, so that one large file, too, keeps all connections busy: one of them
// seldom has all that the way to a far store can carry.
inline constexpr std::uint64_t k_run_piece = 8ULL << 20;
// The pieces of so many bytes, in order; at least one.
std::vector<ByteRange> pieces_of(std::uint64_t offset, std::uint64_t length);
// So many requests all runs take.
std::uint64_t requests_of(const std::vector<FrameRun>& runs);

class FetchPlan {
 public:
  // All that is wanted from here on is used in that order, but for a stretch that goes by pack. at: bytes of content
  // before it; ascending.
  void begin_stretch(std::uint64_t at) { m_stretches.push_back({at, 0, 0, false, {}}); }
  // Bytes of content before the present one.
  std::uint64_t stretch_at() const noexcept { return m_stretches.back().at; }
  // How often something of a pack was wanted in it again after something of another one.
  std::uint64_t returns() const noexcept { return m_stretches.back().returns; }
  // The present stretch is used pack by pack: packs in the order in which they were wanted first, of each the frames in
  // ascending order. That takes all of its packs' directories before the first of its frames, and so all of what is
  // fetched whole.
  void go_by_pack() { m_stretches.back().by_pack = true; }
  // The frame will be used. Once more is as good as once.
  void want(std::uint64_t pack, const PackDirectory& directory, std::uint32_t frame);
  // Some chunks of a pack that is fetched whole. A pack is wanted in one way only.
  void want_whole(const PackRef& pack, std::uint32_t first, std::uint32_t count);
  // Of the packs that are fetched whole those that would have to be held for long: in a stretch that goes by pack; or
  // used a little here and a little there, stretch after stretch, as what a database wrote on one day, where those are
  // too many for room.
  std::vector<std::uint64_t> held_long(std::uint64_t room) const;
  // It is not fetched whole, after all.
  void take_apart(std::uint64_t pack, const PackDirectory& directory);

  std::uint64_t bytes() const noexcept { return m_bytes; }  // stored, of what is wanted
  std::uint64_t packs() const noexcept { return m_packs.size() + m_whole.size(); }
  // Neighbouring frames that are used far from each other share a run as long as what waits for its use, packs that are
  // fetched whole included, takes no more than room.
  std::vector<FrameRun> runs(std::uint64_t room) const;
  // Frames of a pack that is fetched whole in which something is wanted.
  std::uint32_t wanted_of_whole(std::uint64_t pack, const PackDirectory& directory) const;
  // Those of them that are wanted again, so much later that nobody has kept them decoded till then.
  std::vector<std::uint32_t> wanted_again(std::uint64_t pack, const PackDirectory& directory) const;

 private:
  struct FirstUse {
    std::uint32_t stretch = 0;   // 0: not wanted
    std::uint32_t order = 0;     // of the pack there
    std::uint32_t sequence = 0;  // of all that is wanted
  };
  struct Wanted {
    std::uint64_t offset = 0;
    std::uint32_t stored_size = 0;
    FirstUse use;
  };
  struct Whole {
    std::uint64_t size = 0;
    std::uint64_t raw_size = 0;
    FirstUse use;
    std::vector<std::uint32_t> seen;  // by chunk: the stretch in which it was wanted last; 0: none
    std::vector<bool> again;          // by chunk
  };
  struct Stretch {
    std::uint64_t at = 0;
    std::uint64_t returns = 0;
    std::uint64_t last = 0;  // pack
    bool by_pack = false;
    std::unordered_map<std::uint64_t, std::uint32_t> packs;  // in which order they were wanted first
  };
  // A run, and from which to which stretch its frames are used first.
  struct Placed {
    FrameRun run;
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    std::uint64_t order = 0;  // in the first of them
  };
  static FrameRun whole_run(std::uint64_t pack, const Whole& whole);
  std::vector<Placed> placed(std::uint64_t near) const;
  static std::uint64_t most_held(const std::vector<Placed>& runs);
  template <class Chosen>
  std::vector<std::uint32_t> frames_of_whole(std::uint64_t pack, const PackDirectory& directory, Chosen chosen) const;
  std::uint32_t stretch() const noexcept { return static_cast<std::uint32_t>(m_stretches.size()); }
  std::uint32_t order_here(std::uint64_t pack);
  const Stretch& number(std::uint32_t stretch) const { return m_stretches[stretch - 1]; }
  std::uint64_t at_of(std::uint32_t stretch) const { return number(stretch).at; }
  std::uint64_t order_of(const FirstUse& use, bool whole) const;
  void want(std::uint64_t pack, const PackDirectory& directory, std::uint32_t frame, const FirstUse& use);
  std::vector<Placed> spread() const;
  std::unordered_map<std::uint64_t, std::vector<Wanted>> m_packs;  // by frame
  std::unordered_map<std::uint64_t, Whole> m_whole;
  std::vector<Stretch> m_stretches{1};  // numbered from one
  std::uint32_t m_sequence = 0;
  std::uint64_t m_bytes = 0;
};

}  // namespace cairn
