#include "engine/restore/skipped_tally.hpp"

#include "util/units.hpp"

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
  const auto could_not = [&](const std::string& what, std::uint64_t n, const std::string& first) {
    if (n != 0) reporter.warning(fmt::format("{} could not be set{} {}", what, n == 1 ? ":" : ", the first", first));
  };
  const auto entries = [](std::uint64_t n) { return counted(n, "restored entry", "restored entries"); };
  if (m_owners != 0) {
    reporter.warning(fmt::format("the owner of {} could not be set: not permitted", entries(m_owners)));
  }
  could_not(counted(m_xattrs, "extended attribute", "extended attributes"), m_xattrs, m_first_xattr);
  could_not(counted(m_acls, "access control list", "access control lists"), m_acls, m_first_acl);
  could_not(fmt::format("the mode of {}", entries(m_modes)), m_modes, m_first_mode);
  could_not(fmt::format("the times of {}", entries(m_times)), m_times, m_first_time);
  if (m_copies != 0) {
    reporter.warning(fmt::format("{}: the file system does not make any",
                                 counted(m_copies, "hard link became a copy", "hard links became copies")));
  }
  if (m_devices != 0) {
    reporter.warning(
        fmt::format("{} could not be made: not permitted", counted(m_devices, "device file", "device files")));
  }
}

}  // namespace cairn
