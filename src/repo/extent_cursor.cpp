#include "repo/extent_cursor.hpp"

namespace cairn {

std::optional<ExtentCursor::Step> ExtentCursor::next() {
  if (ended()) return std::nullopt;
  const Extent& extent = m_extents[m_at];
  if (extent.is_hole()) {
    ++m_at;
    return Step{extent.hole, 0, 0};
  }
  const Step step{0, extent.pack, extent.first + m_in_extent};
  if (++m_in_extent == extent.count) {
    m_in_extent = 0;
    ++m_at;
  }
  return step;
}

}  // namespace cairn
