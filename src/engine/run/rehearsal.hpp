// A run told beforehand, found out by reading alone: nothing is changed, no program is run, no lock is taken.
#pragma once

#include "engine/run/outcome.hpp"
#include "engine/run/run_host.hpp"
#include "engine/run/run_plan.hpp"

#include <optional>
#include <vector>

namespace cairn {

struct RunRehearsal {
  std::vector<JobOutcome> jobs;      // left_alone, or why one of the job's stores cannot be used, or neither
  std::vector<PruneOutcome> prunes;  // planned as the stores are now
};
ExitStatus status_of(const RunRehearsal& rehearsal) noexcept;

// Opens every store that the plan needs, once. if_older_than: as in RunOptions. Throws Error(interrupted).
RunRehearsal rehearse(RunHost& host, const RunPlan& plan, std::optional<Nanoseconds> if_older_than);

}  // namespace cairn
