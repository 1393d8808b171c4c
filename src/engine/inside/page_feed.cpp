#include "engine/inside/page_feed.hpp"

#include <algorithm>

namespace cairn {

namespace {

// A scan of a table's leaves steps over pages of others in between.
constexpr std::uint64_t k_widest_step = 256ULL << 10;
// A scan that got as much at a time is worth fetching ahead for: so many times what it has read.
constexpr std::uint64_t k_scan_window = 256ULL << 10;
constexpr std::uint64_t k_growth = 4;

}  // namespace

// The one that goes on there, else one that begins there in place of the one that was used longest ago.
PageFeed::Scan& PageFeed::scan_at(std::uint64_t offset) {
  for (Scan& scan : m_scans) {
    if (scan.next != UINT64_MAX && offset >= scan.next &&
        offset - scan.next <= std::min(k_widest_step, scan.window * 4)) {
      return scan;
    }
  }
  Scan& oldest =
      *std::min_element(m_scans.begin(), m_scans.end(), [](const Scan& a, const Scan& b) { return a.used < b.used; });
  oldest = {};
  return oldest;
}

Bytes PageFeed::read(std::uint64_t offset, std::uint64_t length, std::uint64_t most) {
  Scan& scan = scan_at(offset);
  scan.used = ++m_uses;
  scan.window = std::max(length, std::min(most, scan.window * 2));
  scan.next = offset + scan.window;
  scan.read += scan.window;
  if (scan.window >= k_scan_window) {
    const std::uint64_t ahead = std::min(m_ahead, k_growth * scan.read);
    const std::uint64_t begin = std::max(scan.expected, offset);
    const std::uint64_t end = std::min(m_file.size(), scan.next + ahead);
    // In pieces of half of it: a request is large, and another one under way.
    if (begin < end && (end - begin >= ahead / 2 || end == m_file.size())) {
      m_file.expect(begin, end - begin);
      scan.expected = end;
    }
  }
  return m_file.read_at(offset, scan.window);
}

}  // namespace cairn
