#include "engine/run/rehearsal.hpp"

#include "engine/run/job_runner.hpp"
#include "engine/run/job_step.hpp"
#include "engine/run/store_pruner.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <map>
#include <memory>

namespace cairn {

namespace {

class Stores {
 public:
  explicit Stores(RunHost& host) : m_host(host) {}
  // Throws Error, the same one each time.
  RunStore& open(const std::string& name) {
    const auto [at, is_new] = m_opened.try_emplace(name);
    Opened& opened = at->second;
    if (is_new) opened.failure = every_failure_of([&] { opened.store = m_host.open_store(name, RunAccess::read); });
    if (opened.failure) throw Error(*opened.failure);
    return *opened.store;
  }

 private:
  struct Opened {
    std::unique_ptr<RunStore> store;
    std::optional<Error> failure;
  };
  RunHost& m_host;
  std::map<std::string, Opened> m_opened;
};

void look(Stores& stores, const SnapshotJob& job, std::optional<Nanoseconds> if_older_than, JobOutcome& outcome) {
  outcome.failure = every_failure_of([&] {
    RunStore& store = stores.open(job.store);
    if (if_older_than) outcome.left_alone = find_recent_snapshot(store, job.series, *if_older_than);
  });
  if (outcome.failure || outcome.left_alone) return;
  every_failure_of([&] {
    if (is_drill_due(stores.open(job.store), job)) outcome.drill.emplace();
  });
  for (const auto& name : job.push_to) {
    if (const auto failure = every_failure_of([&] { stores.open(name); })) {
      PushOutcome& push = outcome.pushes.emplace_back();
      push.store = name;
      push.failure = *failure;
    }
  }
}

}  // namespace

ExitStatus status_of(const RunRehearsal& rehearsal) noexcept {
  ExitStatus status = ExitStatus::done;
  for (const auto& outcome : rehearsal.jobs) status = gravest(status, status_of(outcome));
  for (const auto& prune : rehearsal.prunes) status = gravest(status, status_of(prune));
  return status;
}

RunRehearsal rehearse(RunHost& host, const RunPlan& plan, std::optional<Nanoseconds> if_older_than) {
  RunRehearsal rehearsal;
  rehearsal.jobs = outcomes_of(plan);
  Stores stores{host};
  auto outcome = rehearsal.jobs.begin();
  for (const auto& group : plan.groups) {
    for (const auto& job : group.jobs) {
      check_interrupted();
      look(stores, job, if_older_than, *outcome++);
    }
  }
  for (const auto& store : stores_to_prune(plan, rehearsal.jobs)) {
    rehearsal.prunes.push_back(prune_store(host, store, Apply::no));
  }
  return rehearsal;
}

}  // namespace cairn
