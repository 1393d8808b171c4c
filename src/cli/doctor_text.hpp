// How findings are printed.
#pragma once

#include "engine/doctor/finding.hpp"
#include "util/json.hpp"

#include <ostream>

namespace cairn {

enum class Shown { all, what_is_not_good };
// By subject, a line for each, and what to do below it; then one line that counts.
void print_findings(std::ostream& to, const Findings& findings, Shown shown);
// The members "findings" and "counts".
void write_findings(JsonWriter& to, const Findings& findings);

}  // namespace cairn
