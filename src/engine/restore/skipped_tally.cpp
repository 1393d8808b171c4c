#include "engine/restore/skipped_tally.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cairn {

void SkippedTally::note(const SkippedMetadata& skipped) {
  if (skipped.owner) ++m_owners;
  m_xattrs += skipped.xattrs;
  m_acls += skipped.acls;
  if (!skipped.mode.empty()) ++m_modes;
  if (!skipped.times.empty()) ++m_times;
  keep_first(m_first_xattr, skipped.first_xattr);
  keep_first(m_first_acl, skipped.first_acl);
  keep_first(m_first_mode, skipped.mode);
  keep_first(m_first_time, skipped.times);
}

void SkippedTally::keep_first(std::string& first, const std::string& given) {
  if (given.empty()) return;
  const std::lock_guard lock{m_mutex};
  if (first.empty()) first = given;
}

void SkippedTally::leave_out(LeftOut entry) {
  const std::lock_guard lock{m_mutex};
  m_left_out.push_back(std::move(entry));
}

std::vector<SkippedTally::LeftOut> SkippedTally::left_out() const {
  std::vector<LeftOut> all = m_left_out;
  std::sort(all.begin(), all.end(), [](const LeftOut& a, const LeftOut& b) { return a.path < b.path; });
  return all;
}

void SkippedTally::tell(Reporter& reporter) const {
  if (m_owners != 0) {
    reporter.warning(fmt::format("the owner of {} restored entries could not be set: not permitted", m_owners.load()));
  }
  if (m_xattrs != 0) {
    reporter.warning(
        fmt::format("{} extended attributes could not be set, the first {}", m_xattrs.load(), m_first_xattr));
  }
  if (m_acls != 0) {
    reporter.warning(fmt::format("{} access control lists could not be set, the first {}", m_acls.load(), m_first_acl));
  }
  if (m_modes != 0) {
    reporter.warning(
        fmt::format("the mode of {} restored entries could not be set, the first {}", m_modes.load(), m_first_mode));
  }
  if (m_times != 0) {
    reporter.warning(
        fmt::format("the times of {} restored entries could not be set, the first {}", m_times.load(), m_first_time));
  }
  if (m_copies != 0) {
    reporter.warning(fmt::format("{} hard links became copies: the file system does not make any", m_copies.load()));
  }
  if (m_devices != 0) {
    reporter.warning(fmt::format("{} devices could not be made: not permitted", m_devices.load()));
  }
}

}  // namespace cairn
