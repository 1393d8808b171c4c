#include "engine/run/job_runner.hpp"

#include "util/error.hpp"

#include <utility>

namespace cairn {

JobRunner::JobRunner(RunHost& host, RunListener& listener, RunOptions options)
    : m_host(host), m_listener(listener), m_options(options), m_snapshot(host, listener, options.snapshot) {
  if (options.push) m_afterwards.push_back(std::make_unique<PushStep>(host, listener));
}

std::vector<JobOutcome> JobRunner::execute(const std::vector<SnapshotJob>& jobs) {
  open_stores(jobs);
  std::vector<JobOutcome> outcomes;
  for (const auto& job : jobs) {
    JobOutcome& outcome = outcomes.emplace_back();
    outcome.series = job.series;
    if (jobs.size() > 1) outcome.source = job.name;
    take(job, outcome);
    m_listener.snapshot_ended(outcome);
    for (const auto& step : m_afterwards) {
      if (step->applies(outcome)) step->run(job, *m_stores.at(job.store).store, outcome);
    }
  }
  return outcomes;
}

bool JobRunner::isolates(const Error& e) const {
  return m_options.isolation == RunOptions::Isolation::each_job && e.kind() != ErrorKind::interrupted;
}

void JobRunner::open_stores(const std::vector<SnapshotJob>& jobs) {
  for (const auto& job : jobs) {
    const auto [at, is_new] = m_stores.try_emplace(job.store);
    if (!is_new) continue;
    try {
      at->second.store = m_host.open_store(job.store);
    } catch (const Error& e) {
      if (!isolates(e)) throw;
      at->second.failure = e;
    }
  }
}

void JobRunner::take(const SnapshotJob& job, JobOutcome& outcome) {
  OpenedStore& opened = m_stores.at(job.store);
  if (opened.failure) {
    outcome.failure = opened.failure;
    return;
  }
  try {
    outcome.result = m_snapshot.run(job, *opened.store);
  } catch (const Error& e) {
    if (!isolates(e)) throw;
    outcome.failure = e;
    if (dynamic_cast<const StoreError*>(&e) != nullptr) opened.failure = e;
  }
}

}  // namespace cairn
