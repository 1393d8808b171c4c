#include "cli/doctor_text.hpp"

#include "util/error.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

namespace cairn {

namespace {

std::uint64_t count(const Findings& findings, Severity severity) {
  return static_cast<std::uint64_t>(std::count_if(
      findings.begin(), findings.end(), [&](const Finding& finding) { return finding.severity == severity; }));
}

const char* mark(Severity severity) {
  switch (severity) {
    case Severity::good:
      return "ok";
    case Severity::note:
      return "note";
    case Severity::warning:
      return "WARNING";
    case Severity::problem:
      return "PROBLEM";
  }
  return "";
}

}  // namespace

void print_findings(std::ostream& to, const Findings& findings, Shown shown) {
  std::string subject;
  for (const auto& finding : findings) {
    if (shown == Shown::what_is_not_good && finding.severity == Severity::good) continue;
    if (finding.subject != subject) {
      subject = finding.subject;
      to << terminal_safe(subject) << '\n';
    }
    to << fmt::format("  {:8} {}\n", mark(finding.severity), terminal_safe(finding.message));
    if (!finding.fix.empty()) to << fmt::format("  {:8} -> {}\n", "", terminal_safe(finding.fix));
  }
  to << fmt::format("{}, {}, {}\n", counted(count(findings, Severity::problem), "problem", "problems"),
                    counted(count(findings, Severity::warning), "warning", "warnings"),
                    counted(count(findings, Severity::good), "thing is well", "things are well"));
}

void write_findings(JsonWriter& to, const Findings& findings) {
  to.key("findings").begin_array();
  for (const auto& finding : findings) {
    to.begin_object().member("severity", severity_name(finding.severity));
    to.member("subject", finding.subject).member("message", terminal_safe(finding.message)).member("fix", finding.fix);
    to.end_object();
  }
  to.end_array().key("counts").begin_object();
  for (const auto severity : {Severity::good, Severity::note, Severity::warning, Severity::problem}) {
    to.member(severity_name(severity), count(findings, severity));
  }
  to.end_object();
}

}  // namespace cairn
