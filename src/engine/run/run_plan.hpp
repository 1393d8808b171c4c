// The steps of a run in their order, decided before anything is done. Pure.
#pragma once

#include "engine/run/hooks.hpp"
#include "engine/run/outcome.hpp"
#include "engine/run/snapshot_job.hpp"
#include "engine/status/series_status.hpp"
#include "util/time.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// Jobs that are done one after another, between the hooks of their group.
struct JobGroup {
  std::string name;  // empty: no group of the configuration, and no hooks
  Hooks hooks;
  std::vector<SnapshotJob> jobs;
};

struct RunPlan {
  Hooks hooks;  // of the run as a whole
  std::vector<JobGroup> groups;
  std::vector<std::string> prune;  // stores that are pruned in the end

  std::size_t job_count() const noexcept;
  // Whether a group or a job has a program that is run before it: it may make a store reachable.
  bool prepares_inside() const noexcept;
  // Whether a job's snapshot goes there.
  bool uses(const std::string& store) const;
};

// The jobs of one group without a name, and nothing else.
RunPlan plan_of(std::vector<SnapshotJob> jobs);

// An outcome for each job, in order, before it is begun.
std::vector<JobOutcome> outcomes_of(const RunPlan& plan);

// The stores into which a job's snapshot goes: where it is captured first. Each once.
std::vector<std::string> stores_of(const SnapshotJob& job);
// Those of the plan's stores to prune that are pruned once the jobs are done: not one to which nothing was to go as all
// of its sources were left alone. A store of no job's is pruned.
std::vector<std::string> stores_to_prune(const RunPlan& plan, const std::vector<JobOutcome>& jobs);
// Why such a store is left as it is after all: it was found damaged, and what is removed may be what mends it.
std::optional<std::string> reason_not_to_prune(const std::string& store, const std::vector<JobOutcome>& jobs);

// The snapshot for which a source is left alone: the newest that can be relied on, where it is younger than that.
std::optional<RecentSnapshot> recent_snapshot(const SeriesStatus& status, Nanoseconds older_than);

}  // namespace cairn
