#include "engine/restore/skipped_tally.hpp"

#include <fmt/format.h>

namespace cairn {

void SkippedTally::note(const SkippedMetadata& skipped) {
  if (skipped.owner) ++m_owners;
  if (skipped.xattrs == 0) return;
  m_xattrs += skipped.xattrs;
  const std::lock_guard lock{m_mutex};
  if (m_first_xattr.empty()) m_first_xattr = skipped.first_xattr;
}

void SkippedTally::tell(Reporter& reporter) const {
  if (m_owners != 0) {
    reporter.warning(fmt::format("the owner of {} restored entries could not be set: not permitted", m_owners.load()));
  }
  if (m_xattrs != 0) {
    reporter.warning(
        fmt::format("{} extended attributes could not be set, the first {}", m_xattrs.load(), m_first_xattr));
  }
  if (m_devices != 0) {
    reporter.warning(fmt::format("{} devices could not be made: not permitted", m_devices.load()));
  }
}

}  // namespace cairn
