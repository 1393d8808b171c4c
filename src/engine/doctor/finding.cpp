#include "engine/doctor/finding.hpp"

#include <algorithm>

namespace cairn {

const char* severity_name(Severity severity) noexcept {
  switch (severity) {
    case Severity::good:
      return "good";
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::problem:
      return "problem";
  }
  return "";
}

int doctor_status(const Findings& findings) noexcept {
  Severity worst = Severity::good;
  for (const auto& finding : findings) worst = std::max(worst, finding.severity);
  return worst == Severity::problem ? 2 : worst == Severity::warning ? 1 : 0;
}

}  // namespace cairn
