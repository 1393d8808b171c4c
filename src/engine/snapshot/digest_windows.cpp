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
  const auto known = m_packs.find(pack);
  if (known != m_packs.end()) {
    Pack& found = known->second;
    if (found.age != m_ages.begin()) m_ages.splice(m_ages.begin(), m_ages, found.age);
    if (const Digest* digest = found.find(chunk)) return digest;
  }
  const auto directory = m_load(pack);
  if (!directory || chunk >= directory->chunk_count()) return nullptr;
  const auto [at, fresh] = m_packs.try_emplace(pack);
  Pack& windows = at->second;
  if (fresh) windows.age = m_ages.insert(m_ages.begin(), pack);
  m_bytes -= windows.bytes();
  // Forward the window goes along; it stays for what is further back.
  if (chunk < windows.latest.first) std::swap(windows.latest, windows.earlier);
  fill(windows.latest, *directory, chunk);
  m_bytes += windows.bytes();
  make_room(pack);
  return windows.latest.find(chunk);
}

void DigestWindows::fill(Window& window, const PackDirectory& directory, std::uint32_t first) {
  const std::uint32_t count = directory.chunk_count();
  const std::uint32_t size = std::min(count - first, std::max(k_min_window, count / k_windows_per_pack + 1));
  window.first = first;
  window.digests.clear();
  window.digests.reserve(size);
  for (std::uint32_t i = first; i < first + size; ++i) window.digests.push_back(directory.digest(i));
}

void DigestWindows::make_room(std::uint64_t pack) {
  while (m_bytes > m_limit && m_ages.back() != pack) {
    const auto oldest = m_packs.find(m_ages.back());
    m_bytes -= oldest->second.bytes();
    m_packs.erase(oldest);
    m_ages.pop_back();
  }
}

}  // namespace cairn
