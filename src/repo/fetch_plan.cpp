#include "repo/fetch_plan.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

namespace cairn {

namespace {

// A larger pack is read in runs: it would have to be held in memory.
constexpr std::uint64_t k_max_whole = 20ULL << 20;
// So little that reading it all costs less than another request.
constexpr std::uint64_t k_small = 256ULL << 10;
// Content between two uses of a chunk after which nobody has it any more.
constexpr std::uint32_t k_far_mib = 16;

}  // namespace

bool worth_whole(const PackRef& pack) noexcept {
  return pack.size <= k_small || (pack.size <= k_max_whole && pack.live_bytes >= pack.raw_bytes - pack.raw_bytes / 4);
}

void FetchPlan::want(std::uint64_t pack, const PackDirectory& directory, std::uint32_t frame) {
  auto& frames = m_packs[pack];
  frames.resize(directory.frames().size());
  Wanted& wanted = frames[frame];
  if (wanted.order != 0) return;
  const Frame& f = directory.frames()[frame];
  wanted = {f.offset, f.stored_size, ++m_order};
  m_bytes += f.stored_size;
}

void FetchPlan::want_whole(const PackRef& pack, std::uint32_t first, std::uint32_t count, std::uint64_t at) {
  Whole& whole = m_whole[pack.prefix()];
  if (whole.order == 0) {
    whole.size = pack.size;
    whole.order = ++m_order;
    m_bytes += pack.size;
  }
  // The digests of more chunks than this have no room in it, whatever the extent says.
  const std::uint64_t end = std::min(std::uint64_t{first} + count, pack.size / sizeof(Digest::bytes));
  if (whole.seen.size() < end) {
    whole.seen.resize(end);
    whole.again.resize(end);
  }
  const auto now = static_cast<std::uint32_t>(std::min<std::uint64_t>(at >> 20, UINT32_MAX - 1)) + 1;
  for (std::uint64_t i = first; i < end; ++i) {
    if (whole.seen[i] != 0 && now - whole.seen[i] > k_far_mib) whole.again[i] = true;
    whole.seen[i] = now;
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

std::vector<FrameRun> FetchPlan::runs() const {
  std::vector<std::pair<std::uint32_t, FrameRun>> found;  // with the order of its first use
  for (const auto& [pack, whole] : m_whole) {
    constexpr auto k_last = std::numeric_limits<std::uint32_t>::max();
    found.push_back({whole.order, {pack, 0, k_last, 0, 0, whole.size, true}});
  }
  for (const auto& [pack, frames] : m_packs) {
    bool open = false;
    for (std::uint32_t i = 0; i < frames.size(); ++i) {
      const Wanted& frame = frames[i];
      if (frame.order == 0) continue;
      const std::uint64_t end = frame.offset + frame.stored_size;
      if (open) {
        auto& [order, run] = found.back();
        if (frame.offset - (run.offset + run.length) <= k_max_gap && end - run.offset <= k_max_run) {
          run.last = i;
          run.wanted += 1;
          run.length = end - run.offset;
          order = std::min(order, frame.order);
          continue;
        }
      }
      found.push_back({frame.order, {pack, i, i, 1, frame.offset, frame.stored_size, false}});
      open = true;
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<FrameRun> out;
  out.reserve(found.size());
  for (const auto& [order, run] : found) out.push_back(run);
  return out;
}

}  // namespace cairn
