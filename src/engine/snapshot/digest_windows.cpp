#include "engine/snapshot/digest_windows.hpp"

#include <algorithm>
#include <utility>

namespace cairn {

namespace {
// A directory is decoded so many times at most while its pack is read from the beginning to the end; a small one fewer.
constexpr std::uint32_t k_windows_per_pack = 16;
constexpr std::uint32_t k_min_window = 1024;
}  // namespace

const Digest* DigestWindows::Pack::find(std::uint32_t chunk) {
  if (const Digest* digest = latest.find(chunk)) return digest;
  if (earlier.find(chunk) != nullptr) std::swap(latest, earlier);
  return latest.find(chunk);
}

const Digest* DigestWindows::find(std::uint64_t pack, std::uint32_t chunk) {
  if (Pack* known = m_packs.find(pack)) {
    if (const Digest* digest = known->find(chunk)) return digest;
  }
  const auto directory = m_load(pack);
  if (!directory || chunk >= directory->chunk_count()) return nullptr;
  Pack* windows = m_packs.find(pack);
  if (windows == nullptr) windows = &m_packs.put(pack, {}, 0);
  // Forward the window goes along; it stays for what is further back.
  if (chunk < windows->latest.first) std::swap(windows->latest, windows->earlier);
  fill(windows->latest, *directory, chunk);
  m_packs.resize(pack, windows->bytes());
  m_packs.shrink(m_limit);
  return windows->latest.find(chunk);
}

void DigestWindows::fill(Window& window, const PackDirectory& directory, std::uint32_t first) {
  const std::uint32_t count = directory.chunk_count();
  const std::uint32_t size = std::min(count - first, std::max(k_min_window, count / k_windows_per_pack + 1));
  window.first = first;
  window.digests.clear();
  window.digests.reserve(size);
  for (std::uint32_t i = first; i < first + size; ++i) window.digests.push_back(directory.digest(i));
}

}  // namespace cairn
