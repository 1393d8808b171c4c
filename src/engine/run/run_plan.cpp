#include "engine/run/run_plan.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace cairn {

namespace {

bool goes_to(const JobOutcome& outcome, const std::string& store) {
  return std::find(outcome.stores.begin(), outcome.stores.end(), store) != outcome.stores.end();
}

}  // namespace

std::size_t RunPlan::job_count() const noexcept {
  return std::accumulate(groups.begin(), groups.end(), std::size_t{0},
                         [](std::size_t sum, const JobGroup& group) { return sum + group.jobs.size(); });
}

bool RunPlan::prepares_inside() const noexcept {
  return std::any_of(groups.begin(), groups.end(), [](const JobGroup& group) {
    return !group.hooks.before.empty() || std::any_of(group.jobs.begin(), group.jobs.end(),
                                                      [](const SnapshotJob& job) { return !job.hooks.before.empty(); });
  });
}

bool RunPlan::uses(const std::string& store) const {
  const auto outcomes = outcomes_of(*this);
  return std::any_of(outcomes.begin(), outcomes.end(),
                     [&](const JobOutcome& outcome) { return goes_to(outcome, store); });
}

std::vector<JobOutcome> outcomes_of(const RunPlan& plan) {
  std::vector<JobOutcome> out;
  for (const auto& group : plan.groups) {
    for (const auto& job : group.jobs) {
      JobOutcome& outcome = out.emplace_back();
      outcome.series = job.series;
      outcome.name = job.name;
      outcome.group = group.name;
      outcome.stores = stores_of(job);
      if (plan.job_count() > 1) outcome.source = job.name;
    }
  }
  return out;
}

RunPlan plan_of(std::vector<SnapshotJob> jobs) {
  RunPlan plan;
  plan.groups.push_back({{}, {}, std::move(jobs)});
  return plan;
}

std::vector<std::string> stores_of(const SnapshotJob& job) {
  std::vector<std::string> out{job.store};
  for (const auto& store : job.push_to) {
    if (std::find(out.begin(), out.end(), store) == out.end()) out.push_back(store);
  }
  return out;
}

std::vector<std::string> stores_to_prune(const RunPlan& plan, const std::vector<JobOutcome>& jobs) {
  std::vector<std::string> out;
  for (const auto& store : plan.prune) {
    bool used = false;
    bool left_alone = true;
    for (const auto& outcome : jobs) {
      if (!goes_to(outcome, store)) continue;
      used = true;
      left_alone = left_alone && outcome.left_alone.has_value();
    }
    if (!used || !left_alone) out.push_back(store);
  }
  return out;
}

std::optional<std::string> reason_not_to_prune(const std::string& store, const std::vector<JobOutcome>& jobs) {
  for (const auto& outcome : jobs) {
    for (const auto& verification : outcome.verifications) {
      if (verification.store == store && status_of(verification) == ExitStatus::damaged) {
        return "damage was found there, and what a prune removes may be what mends it";
      }
    }
  }
  return std::nullopt;
}

std::optional<RecentSnapshot> recent_snapshot(const SeriesStatus& status, Nanoseconds older_than) {
  if (!status.newest || status.age >= older_than) return std::nullopt;
  return RecentSnapshot{status.newest->id, status.newest->cut_point, status.age};
}

}  // namespace cairn
