#include "repo/fetch_plan.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

namespace cairn {

namespace {

// A larger pack is read in runs: it would have to be held in memory.
constexpr std::uint64_t k_max_whole = 20ULL << 20;
// So little that reading it all costs less than another request.
constexpr std::uint64_t k_small = 256ULL << 10;
// Content between two uses of a chunk after which nobody has it any more.
constexpr std::uint64_t k_far = 16ULL << 20;
// Packs are not read whole of which one chunk in so many is used so much content further on than the pack is long.
constexpr std::uint64_t k_spread = 64ULL << 20;
constexpr std::size_t k_spread_part = 4;
// How far from each other the frames of one run may be used, from the fewest requests to the least memory.
constexpr std::uint64_t k_nears[] = {std::numeric_limits<std::uint64_t>::max(), 256ULL << 20, 64ULL << 20, 16ULL << 20,
                                     0};

}  // namespace

std::vector<ByteRange> pieces_of(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t count = std::max<std::uint64_t>(1, (length + k_run_piece / 2) / k_run_piece);
  const std::uint64_t each = (length + count - 1) / count;
  std::vector<ByteRange> pieces;
  for (std::uint64_t at = 0; at < length; at += each) pieces.push_back({offset + at, std::min(each, length - at)});
  if (pieces.empty()) pieces.push_back({offset, length});
  return pieces;
}

std::uint64_t requests_of(const std::vector<FrameRun>& runs) {
  std::uint64_t requests = 0;
  for (const FrameRun& run : runs) requests += pieces_of(run.offset, run.length).size();
  return requests;
}

bool worth_whole(const PackRef& pack) noexcept {
  return pack.size <= k_small || (pack.size <= k_max_whole && pack.live_bytes >= pack.raw_bytes - pack.raw_bytes / 4);
}

// Of the pack in the present stretch.
std::uint32_t FetchPlan::order_here(std::uint64_t pack) {
  Stretch& here = m_stretches.back();
  const auto [at, fresh] = here.packs.emplace(pack, static_cast<std::uint32_t>(here.packs.size()));
  if (!fresh && here.last != pack) ++here.returns;
  here.last = pack;
  return at->second;
}

void FetchPlan::want(std::uint64_t pack, const PackDirectory& directory, std::uint32_t frame) {
  want(pack, directory, frame, {stretch(), order_here(pack), m_sequence++});
}

void FetchPlan::want(std::uint64_t pack, const PackDirectory& directory, std::uint32_t frame, const FirstUse& use) {
  auto& frames = m_packs[pack];
  frames.resize(directory.frames().size());
  Wanted& wanted = frames[frame];
  if (wanted.use.stretch != 0) return;
  const Frame& f = directory.frames()[frame];
  wanted = {f.offset, f.stored_size, use};
  m_bytes += f.stored_size;
}

void FetchPlan::want_whole(const PackRef& pack, std::uint32_t first, std::uint32_t count) {
  Whole& whole = m_whole[pack.prefix()];
  const std::uint32_t order = order_here(pack.prefix());
  const std::uint32_t now = stretch();
  if (whole.use.stretch == 0) {
    whole.size = pack.size;
    whole.raw_size = pack.raw_bytes;
    whole.use = {now, order, m_sequence++};
    m_bytes += pack.size;
  }
  // The digests of more chunks than this have no room in it, whatever the extent says.
  const std::uint64_t end = std::min(std::uint64_t{first} + count, pack.size / sizeof(Digest::bytes));
  if (whole.seen.size() < end) {
    whole.seen.resize(end);
    whole.again.resize(end);
  }
  for (std::uint64_t i = first; i < end; ++i) {
    if (whole.seen[i] != 0 && at_of(now) - at_of(whole.seen[i]) > k_far) whole.again[i] = true;
    whole.seen[i] = now;
  }
}

// Packs that are fetched whole and used a little here and a little there.
std::vector<FetchPlan::Placed> FetchPlan::spread() const {
  std::vector<Placed> out;
  for (const auto& [pack, whole] : m_whole) {
    if (whole.size <= k_small) continue;
    const std::uint64_t end = at_of(whole.use.stretch) + whole.raw_size + k_spread;
    std::size_t far = 0;
    std::uint32_t last = whole.use.stretch;
    for (const std::uint32_t seen : whole.seen) {
      if (seen != 0 && at_of(seen) > end) ++far;
      last = std::max(last, seen);
    }
    if (far > whole.seen.size() / k_spread_part) out.push_back({whole_run(pack, whole), whole.use.stretch, last, 0});
  }
  return out;
}

std::vector<std::uint64_t> FetchPlan::held_long(std::uint64_t room) const {
  std::set<std::uint64_t> out;
  for (const auto& stretch : m_stretches) {
    if (!stretch.by_pack) continue;
    for (const auto& [pack, order] : stretch.packs) {
      const auto whole = m_whole.find(pack);
      if (whole != m_whole.end() && whole->second.size > k_small) out.insert(pack);
    }
  }
  const auto others = spread();
  if (most_held(others) > room) {
    for (const auto& placed : others) out.insert(placed.run.pack);
  }
  return {out.begin(), out.end()};
}

void FetchPlan::take_apart(std::uint64_t pack, const PackDirectory& directory) {
  const auto found = m_whole.find(pack);
  if (found == m_whole.end()) return;
  const Whole whole = std::move(found->second);
  m_whole.erase(found);
  m_bytes -= whole.size;
  const auto& frames = directory.frames();
  for (std::uint32_t f = 0; f < frames.size(); ++f) {
    std::uint32_t first = 0;
    const std::size_t end = std::min<std::size_t>(frames[f].first_chunk + frames[f].chunk_count, whole.seen.size());
    for (std::size_t i = frames[f].first_chunk; i < end; ++i) {
      if (whole.seen[i] != 0 && (first == 0 || whole.seen[i] < first)) first = whole.seen[i];
    }
    if (first != 0) want(pack, directory, f, {first, number(first).packs.at(pack), whole.use.sequence});
  }
}

// The frames with a chunk that chosen(whole, chunk) is true for.
template <class Chosen>
std::vector<std::uint32_t> FetchPlan::frames_of_whole(std::uint64_t pack, const PackDirectory& directory,
                                                      Chosen chosen) const {
  std::vector<std::uint32_t> out;
  const auto found = m_whole.find(pack);
  if (found == m_whole.end()) return out;
  const auto& frames = directory.frames();
  for (std::uint32_t f = 0; f < frames.size(); ++f) {
    const std::size_t end =
        std::min<std::size_t>(frames[f].first_chunk + frames[f].chunk_count, found->second.seen.size());
    std::size_t i = frames[f].first_chunk;
    while (i < end && !chosen(found->second, i)) ++i;
    if (i < end) out.push_back(f);
  }
  return out;
}

std::uint32_t FetchPlan::wanted_of_whole(std::uint64_t pack, const PackDirectory& directory) const {
  const auto frames =
      frames_of_whole(pack, directory, [](const Whole& whole, std::size_t chunk) { return whole.seen[chunk] != 0; });
  return static_cast<std::uint32_t>(frames.size());
}

std::vector<std::uint32_t> FetchPlan::wanted_again(std::uint64_t pack, const PackDirectory& directory) const {
  return frames_of_whole(pack, directory, [](const Whole& whole, std::size_t chunk) { return whole.again[chunk]; });
}

FrameRun FetchPlan::whole_run(std::uint64_t pack, const Whole& whole) {
  return {pack, 0, std::numeric_limits<std::uint32_t>::max(), 0, 0, whole.size, true};
}

// In its stretch, among what is fetched.
std::uint64_t FetchPlan::order_of(const FirstUse& use, bool whole) const {
  if (!number(use.stretch).by_pack || whole) return use.sequence;
  return (1ULL << 32) + use.order;
}

std::vector<FetchPlan::Placed> FetchPlan::placed(std::uint64_t near) const {
  std::vector<Placed> out;
  for (const auto& [pack, whole] : m_whole) {
    out.push_back({whole_run(pack, whole), whole.use.stretch, whole.use.stretch, order_of(whole.use, true)});
  }
  for (const auto& [pack, frames] : m_packs) {
    const Wanted* before = nullptr;
    for (std::uint32_t i = 0; i < frames.size(); ++i) {
      const Wanted& frame = frames[i];
      if (frame.use.stretch == 0) continue;
      const std::uint64_t end = frame.offset + frame.stored_size;
      const std::uint64_t order = order_of(frame.use, false);
      if (before != nullptr) {
        Placed& last = out.back();
        FrameRun& run = last.run;
        const auto [one, other] = std::minmax({at_of(frame.use.stretch), at_of(before->use.stretch)});
        if (frame.offset - (run.offset + run.length) <= k_max_gap && end - run.offset <= k_max_run &&
            other - one <= near) {
          run.last = i;
          run.wanted += 1;
          run.length = end - run.offset;
          if (std::pair{frame.use.stretch, order} < std::pair{last.from, last.order}) {
            last.from = frame.use.stretch;
            last.order = order;
          }
          last.to = std::max(last.to, frame.use.stretch);
          before = &frame;
          continue;
        }
      }
      out.push_back(
          {{pack, i, i, 1, frame.offset, frame.stored_size, false}, frame.use.stretch, frame.use.stretch, order});
      before = &frame;
    }
  }
  std::sort(out.begin(), out.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.from, a.order, a.run.first) < std::tie(b.from, b.order, b.run.first);
  });
  return out;
}

// The most bytes of runs that are in use from one stretch to another.
std::uint64_t FetchPlan::most_held(const std::vector<Placed>& runs) {
  std::vector<std::pair<std::uint32_t, std::int64_t>> changes;
  for (const auto& placed : runs) {
    if (placed.from == placed.to) continue;
    const auto length = static_cast<std::int64_t>(placed.run.length);
    changes.emplace_back(placed.from, length);
    changes.emplace_back(placed.to, -length);
  }
  std::sort(changes.begin(), changes.end());
  std::int64_t held = 0;
  std::int64_t most = 0;
  for (const auto& [at, change] : changes) {
    held += change;
    most = std::max(most, held);
  }
  return static_cast<std::uint64_t>(most);
}

std::vector<FrameRun> FetchPlan::runs(std::uint64_t room) const {
  const std::uint64_t left = room - std::min(room, most_held(spread()));
  std::vector<Placed> found;
  for (const std::uint64_t near : k_nears) {
    found = placed(near);
    if (most_held(found) <= left) break;
  }
  std::vector<FrameRun> out;
  out.reserve(found.size());
  for (const auto& placed : found) out.push_back(placed.run);
  return out;
}

}  // namespace cairn
