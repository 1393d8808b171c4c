#include "engine/inside/looker.hpp"

#include <algorithm>
#include <utility>

namespace cairn {

Looker::Looker(Context& context, std::span<const Manifest* const> manifests, std::uint64_t keep)
    : m_manifests(manifests) {
  for (const Manifest* const manifest : manifests) manifest->require_open();
  const auto add = [&](PackTable packs, std::uint64_t share) {
    m_frames.push_back(
        std::make_unique<SnapshotFrames>(context.repository.packs(), context.io, context.cpu, std::move(packs), share));
  };
  if (auto all = PackTable::of(manifests)) {
    add(*std::move(all), keep);
  } else {
    for (const Manifest* const manifest : manifests) add(PackTable{*manifest}, keep / manifests.size());
  }
}

SnapshotFrames& Looker::frames(const Manifest& manifest) {
  if (m_frames.size() == 1) return *m_frames.front();
  const auto at = std::find(m_manifests.begin(), m_manifests.end(), &manifest);
  return *m_frames.at(static_cast<std::size_t>(at - m_manifests.begin()));
}

InsideFile Looker::open(const Manifest& manifest, const std::optional<std::string>& path) {
  InsideFile file;
  file.index = std::make_unique<TreeIndex>(frames(manifest), manifest);
  file.reader = std::make_unique<FileReader>(frames(manifest), *file.index, find_file(*file.index, manifest, path));
  return file;
}

}  // namespace cairn
