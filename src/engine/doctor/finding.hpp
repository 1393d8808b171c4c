// What somebody should know of an installation before the day on which it is needed.
//
// Room engine/doctor: looks at a host, its sources and its stores, and says what is wrong with them. It changes
// nothing, but for a tiny object that it puts into a store, to see whether it may, and removes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cairn {

enum class Severity {
  good,     // it was looked at, and is as it should be
  note,     // so it is; nothing has to be done
  warning,  // it should be mended: a snapshot or a restore may fail by it
  problem,  // no snapshot, no restore, or none that can be relied on, as it is
};
// "good", "note", "warning", "problem".
const char* severity_name(Severity severity) noexcept;

struct Finding {
  Severity severity = Severity::good;
  std::string subject;  // "host", "source state", "store offsite"
  std::string message;  // lower case, no full stop
  std::string fix;      // what to do; empty where there is nothing
};
using Findings = std::vector<Finding>;

// 0 where all is good, or a note; 1 where there is a warning; 2 where there is a problem.
int doctor_status(const Findings& findings) noexcept;

}  // namespace cairn
