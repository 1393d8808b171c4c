#include "engine/digest_windows.hpp"

#include <algorithm>

namespace cairn {

namespace {
// A directory is decoded so many times at most while its pack is read from the beginning to the end; a small one fewer.
constexpr std::uint32_t k_windows_per_pack = 16;
constexpr std::uint32_t k_min_window = 1024;
}  // namespace

const Digest* DigestWindows::find(std::uint64_t pack, std::uint32_t chunk) {
  const auto known = m_windows.find(pack);
  if (known != m_windows.end()) {
    Window& window = known->second;
    if (window.age != m_ages.begin()) m_ages.splice(m_ages.begin(), m_ages, window.age);
    if (const Digest* digest = window.find(chunk)) return digest;
  }
  const auto directory = m_load(pack);
  if (!directory || chunk >= directory->chunk_count()) return nullptr;
  const auto [at, fresh] = m_windows.try_emplace(pack);
  Window& window = at->second;
  if (fresh) window.age = m_ages.insert(m_ages.begin(), pack);
  fill(window, *directory, chunk);
  make_room(pack);
  return window.find(chunk);
}

void DigestWindows::fill(Window& window, const PackDirectory& directory, std::uint32_t first) {
  const std::uint32_t count = directory.chunk_count();
  const std::uint32_t size = std::min(count - first, std::max(k_min_window, count / k_windows_per_pack + 1));
  m_bytes -= window.digests.size() * sizeof(Digest);
  window.first = first;
  window.digests.clear();
  window.digests.reserve(size);
  for (std::uint32_t i = first; i < first + size; ++i) window.digests.push_back(directory.digest(i));
  m_bytes += window.digests.size() * sizeof(Digest);
}

void DigestWindows::make_room(std::uint64_t pack) {
  while (m_bytes > m_limit && m_ages.back() != pack) {
    const auto oldest = m_windows.find(m_ages.back());
    m_bytes -= oldest->second.digests.size() * sizeof(Digest);
    m_windows.erase(oldest);
    m_ages.pop_back();
  }
}

}  // namespace cairn
