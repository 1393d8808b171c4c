#include "repo/fetch_plan.hpp"

#include <algorithm>
#include <utility>

namespace cairn {

void FetchPlan::want(std::uint64_t pack, const PackDirectory& directory, std::uint32_t frame) {
  auto& frames = m_packs[pack];
  frames.resize(directory.frames().size());
  Wanted& wanted = frames[frame];
  if (wanted.order != 0) return;
  const Frame& f = directory.frames()[frame];
  wanted = {f.offset, f.stored_size, ++m_order};
  m_bytes += f.stored_size;
}

std::vector<FrameRun> FetchPlan::runs() const {
  std::vector<std::pair<std::uint32_t, FrameRun>> found;  // with the order of its first use
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
      found.push_back({frame.order, {pack, i, i, 1, frame.offset, frame.stored_size}});
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
