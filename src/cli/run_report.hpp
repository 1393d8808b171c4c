// The output of cairn run: the plan of a rehearsal, the summary of a run, and both as a document.
#pragma once

#include "cli/session.hpp"
#include "engine/run/outcome.hpp"
#include "engine/run/rehearsal.hpp"
#include "engine/run/run_plan.hpp"

#include <chrono>

namespace cairn {

// One line a source, and one that sums up.
void print_summary(Session& session, const RunOutcome& run, std::chrono::nanoseconds duration);
void print_rehearsal(Session& session, const RunPlan& plan, const RunRehearsal& rehearsal);

// The members of the document.
void write_run(JsonWriter& to, const std::string& run_id, const RunPlan& plan, const RunOutcome& run,
               std::chrono::nanoseconds duration);
void write_rehearsal(JsonWriter& to, const RunPlan& plan, const RunRehearsal& rehearsal);

}  // namespace cairn
