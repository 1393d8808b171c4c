#include "repo/snapshot_frames.hpp"

#include "repo/layout.hpp"

namespace cairn {

std::vector<SnapshotFrames::FramePointer> SnapshotFrames::get(const std::vector<FrameId>& ids) {
  std::vector<FrameFetcher::Future> futures;
  {
    const std::scoped_lock lock{m_mutex};
    futures = m_fetcher.request(ids);
  }
  std::vector<FramePointer> out;
  out.reserve(ids.size());
  try {
    for (const auto& future : futures) out.push_back(future.get());
  } catch (...) {
    // Those that come later may fail, too.
    for (const auto& future : futures) future.wait();
    forget(ids);
    throw;
  }
  return out;
}

void SnapshotFrames::expect(const std::vector<FrameId>& ids) {
  const std::scoped_lock lock{m_mutex};
  m_fetcher.request(ids);
}

void SnapshotFrames::forget(const std::vector<FrameId>& ids) {
  const std::scoped_lock lock{m_mutex};
  m_fetcher.forget(ids);
}

void SnapshotFrames::expect_directories(const std::vector<std::uint64_t>& packs) {
  const std::scoped_lock lock{m_mutex};
  m_fetcher.expect_directories(packs);
}

std::string SnapshotFrames::key_of(std::uint64_t pack) const {
  return layout::pack_key(m_packs.find(pack).name);
}

std::shared_ptr<const PackDirectory> SnapshotFrames::directory(std::uint64_t pack) {
  const std::scoped_lock lock{m_mutex};
  return m_fetcher.directory(pack);
}

}  // namespace cairn
