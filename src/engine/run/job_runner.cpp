#include "engine/run/job_runner.hpp"

#include "engine/run/store_pruner.hpp"
#include "engine/status/series_status.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <csignal>
#include <new>
#include <utility>

namespace cairn {

namespace {

// Of whatever an attempt threw. One that is not ours is a failure as good as any other: the other sources are saved,
// and what cleans up is run.
Error error_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& e) {
    return e;
  } catch (const std::bad_alloc&) {
    return {ErrorKind::failed, "out of memory"};
  } catch (const std::exception& e) {
    return {ErrorKind::failed, e.what()};
  }
}

ExitStatus status_of_signal(int signal) noexcept {
  return ExitStatus{exit_status_of(ErrorKind::interrupted, signal)};
}

}  // namespace

std::optional<RecentSnapshot> find_recent_snapshot(RunStore& store, const std::string& series, Nanoseconds older_than) {
  Context context = store.context();
  const Time now = context.clock();
  DatedAhead dated_ahead{context.repository.store(), now};
  std::vector<SnapshotSeen> found;
  for (const auto& snapshot : context.repository.manifests().list_snapshots(series)) {
    found.push_back(seen(snapshot, dated_ahead(snapshot.record.cut_point, first_stored(snapshot))));
  }
  return recent_snapshot(series_status(series, std::move(found), std::nullopt, now), older_than);
}

JobRunner::JobRunner(RunHost& host, RunListener& listener, RunOptions options)
    : m_host(host), m_listener(listener), m_options(options), m_snapshot(host, listener, options.snapshot) {
  if (options.push) m_afterwards.push_back(std::make_unique<PushStep>(host, listener));
  if (options.verify) m_afterwards.push_back(std::make_unique<VerifyStep>(host, listener));
  if (options.drill) m_afterwards.push_back(std::make_unique<DrillStep>(host, listener));
}

RunOutcome JobRunner::execute(const RunPlan& plan) {
  RunOutcome run;
  run.jobs = outcomes_of(plan);
  HookScope scope{m_listener, {}, plan.hooks};
  const std::optional<Error> blocked = begin(scope, run.hook_failures);
  if (!blocked && !m_options.lock && !plan.prepares_inside()) open_stores(plan);
  std::span<JobOutcome> left{run.jobs};
  for (const auto& group : plan.groups) {
    run_group(group, blocked, left.first(group.jobs.size()), run.hook_failures);
    left = left.subspan(group.jobs.size());
  }
  if (!blocked) prune(plan, run);
  run.signal = m_signal;
  end(scope, plan.hooks, {}, status_of(run), run.hook_failures);
  run.signal = m_signal;
  return run;
}

// blocked: why nothing of it is begun.
void JobRunner::run_group(const JobGroup& group, std::optional<Error> blocked, std::span<JobOutcome> outcomes,
                          std::vector<Error>& hook_failures) {
  HookScope scope{m_listener, {HookOwner::Level::group, group.name}, group.hooks};
  const bool begun = !blocked && !m_stopped;
  if (begun) blocked = begin(scope, hook_failures);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (m_stopped || blocked) {
      outcomes[i].failure = m_stopped ? m_stopped : blocked;
      outcomes[i].begun = false;
    } else {
      m_listener.job_begun(outcomes[i]);
      run_job(group.jobs[i], outcomes[i]);
      m_listener.job_ended(outcomes[i]);
    }
  }
  if (!begun) return;
  ExitStatus status = m_signal == 0 ? ExitStatus::done : status_of_signal(m_signal);
  for (const auto& outcome : outcomes) status = gravest(status, status_of(outcome));
  end(scope, group.hooks, {}, status, hook_failures);
}

void JobRunner::run_job(const SnapshotJob& job, JobOutcome& outcome) {
  std::optional<SourceLock> lock;  // held while the job's last programs run
  try {
    check_interrupted();
    if (m_options.lock) lock.emplace(m_host, m_listener, job, outcome, *m_options.lock);
    outcome.left_alone = find_recent(job);
  } catch (const std::exception&) {
    outcome.begun = false;
    fail(outcome, std::current_exception());
    outcome.signal = 0;  // whatever it ended, it was not this
    return;
  }
  if (outcome.left_alone) return m_listener.left_alone(outcome);
  HookScope scope{m_listener, {HookOwner::Level::source, job.name}, job.hooks};
  if (const auto failure = scope.begin(facts_before(job))) {
    outcome.begun = false;
    fail(outcome, std::make_exception_ptr(*failure));
  } else {
    run_steps(job, outcome);
  }
  end(scope, job.hooks, facts_after(job, outcome), status_of(outcome), outcome.hook_failures);
  outcome.signal = m_signal;
}

void JobRunner::run_steps(const SnapshotJob& job, JobOutcome& outcome) {
  try {
    outcome.result = take(job);
    m_listener.snapshot_ended(outcome);
    for (const auto& step : m_afterwards) {
      if (step->applies(outcome)) step->run(job, *open_store(job.store).store, outcome);
    }
  } catch (const std::exception&) {
    fail(outcome, std::current_exception());
  }
}

SnapshotResult JobRunner::take(const SnapshotJob& job) {
  OpenedStore& opened = open_store(job.store);
  if (opened.failure) std::rethrow_exception(opened.failure);
  try {
    return m_snapshot.run(job, *opened.store);
  } catch (const StoreError& e) {
    if (e.kind() != ErrorKind::interrupted) opened.failure = std::current_exception();
    throw;
  }
}

// Where the store cannot be looked at, the job is run, and it is told there: a program before it may be what makes the
// store reachable.
std::optional<RecentSnapshot> JobRunner::find_recent(const SnapshotJob& job) {
  if (!m_options.if_older_than) return std::nullopt;
  std::optional<RecentSnapshot> recent;
  every_failure_of([&] {
    const auto store = m_host.open_store(job.store, RunAccess::read);
    recent = find_recent_snapshot(*store, job.series, *m_options.if_older_than);
  });
  return recent;
}

// The job ends with that. It is told, unless it ends the run, whose failure it is then.
void JobRunner::fail(JobOutcome& outcome, const std::exception_ptr& thrown) {
  const Error e = error_of(thrown);
  const bool interrupted = e.kind() == ErrorKind::interrupted;
  if (interrupted || m_options.isolation == RunOptions::Isolation::none) stop(e, thrown);
  outcome.signal = m_signal;
  const bool was_taken = outcome.result.has_value();
  if (!was_taken || !interrupted) outcome.failure = e;
  if (m_stopped) return;
  was_taken ? m_listener.failed(e) : m_listener.snapshot_ended(outcome);
}

void JobRunner::stop(const Error& e, const std::exception_ptr& thrown) {
  if (m_stopped) return;
  m_stopped = e;
  m_ended_by = thrown;
  // A test may say that there was a signal, and which none.
  if (e.kind() == ErrorKind::interrupted) m_signal = interrupted_by() == 0 ? SIGINT : interrupted_by();
}

// Of a group, or the run: what keeps all of its jobs from being begun.
std::optional<Error> JobRunner::begin(HookScope& scope, std::vector<Error>& failures) {
  auto failure = scope.begin({});
  if (!failure) return failure;
  if (failure->kind() != ErrorKind::interrupted) failures.push_back(*failure);
  const bool ends = failure->kind() == ErrorKind::interrupted || m_options.isolation == RunOptions::Isolation::none;
  ends ? stop(*failure, std::make_exception_ptr(*failure)) : m_listener.failed(*failure);
  return failure;
}

void JobRunner::end(HookScope& scope, const Hooks& hooks, const HookFacts& facts, ExitStatus status,
                    std::vector<Error>& failures) {
  if (!hooks.after.empty() || !hooks.failed.empty() || !hooks.finally.empty()) close_stores();
  const auto end = scope.end(facts, status);
  for (const auto& failure : end.failures) {
    m_listener.failed(failure);
    failures.push_back(failure);
  }
  if (end.interrupted) stop(*end.interrupted, std::make_exception_ptr(*end.interrupted));
}

void JobRunner::prune(const RunPlan& plan, RunOutcome& run) {
  for (const auto& store : stores_to_prune(plan, run.jobs)) {
    if (m_stopped) return;
    PruneOutcome outcome;
    outcome.store = store;
    if (const auto reason = reason_not_to_prune(store, run.jobs)) {
      outcome.left = *reason;
    } else {
      try {
        check_interrupted();
        outcome = prune_store(m_host, store, Apply::yes);
      } catch (const Error& e) {
        return stop(e, std::current_exception());
      }
    }
    run.prunes.push_back(std::move(outcome));
    m_listener.prune_ended(run.prunes.back());
  }
}

JobRunner::OpenedStore& JobRunner::open_store(const std::string& name) {
  OpenedStore& opened = m_stores[name];
  if (opened.store || opened.failure) return opened;
  try {
    opened.store = m_host.open_store(name, RunAccess::write);
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    opened.failure = std::current_exception();
  }
  return opened;
}

void JobRunner::open_stores(const RunPlan& plan) {
  try {
    for (const auto& group : plan.groups) {
      for (const auto& job : group.jobs) open_store(job.store);
    }
  } catch (const Error& e) {
    stop(e, std::current_exception());
  }
}

void JobRunner::close_stores() {
  for (auto& [name, opened] : m_stores) opened.store.reset();
}

}  // namespace cairn
