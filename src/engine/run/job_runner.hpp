// Takes the snapshots of several sources, one after another, and does with each what belongs to it: what cairn snapshot
// does of configured sources, and cairn run.
//
// Room engine/run: puts the other use cases together (snapshot, push, verify, prune), by jobs and steps. Prints nothing
// and knows no configuration: whoever starts it gives a plan and a host, and gets outcomes.
#pragma once

#include "engine/run/hooks.hpp"
#include "engine/run/job_step.hpp"
#include "engine/run/outcome.hpp"
#include "engine/run/run_host.hpp"
#include "engine/run/run_plan.hpp"
#include "engine/run/snapshot_job.hpp"
#include "engine/run/source_lock.hpp"

#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cairn {

struct RunOptions {
  SnapshotStep::Options snapshot;
  bool push = false;    // to the stores that the jobs name; not of a dry run
  bool verify = false;  // what was taken and pushed
  bool drill = false;   // what was taken, where it is due
  // Nothing: jobs take no locks. Else what happens where another run of this host has a job's source.
  std::optional<LockWait> lock;
  // Jobs whose newest snapshot that can be relied on is younger are left alone.
  std::optional<Nanoseconds> if_older_than;
  // How a failed job affects the run. none: the failure itself, and the jobs that follow are not begun. each_job:
  // nothing: it is the job's outcome, and does not keep the others from being saved; a store that failed is not tried
  // again. A signal (Error(interrupted)) ends a run in any case.
  enum class Isolation { none, each_job };
  Isolation isolation = Isolation::each_job;
};

// One thread; once.
class JobRunner {
 public:
  JobRunner(RunHost& host, RunListener& listener, RunOptions options);
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  // Throws nothing that is a job's: see ended_by(). The hooks that are to run in any case have run then.
  //
  // Where nothing is run before a single job, and no lock is taken, all stores are opened before anything is read: the
  // cut points of several sources shall lie close together. Else each when it is needed. None is open while programs
  // run that follow a job or group: they may take a disk away.
  RunOutcome execute(const RunPlan& plan);
  // The cause that ended the run before all of the plan was done: a signal, or the failure without isolation. Null: no
  // cause.
  const std::exception_ptr& ended_by() const noexcept { return m_ended_by; }
  // The same, to be told.
  const std::optional<Error>& stopped() const noexcept { return m_stopped; }

 private:
  struct OpenedStore {
    std::unique_ptr<RunStore> store;
    std::exception_ptr failure;  // it could not be opened, or failed since: so do all jobs that still need it
  };
  OpenedStore& open_store(const std::string& name);
  void open_stores(const RunPlan& plan);
  void close_stores();

  void run_group(const JobGroup& group, std::optional<Error> blocked, std::span<JobOutcome> outcomes,
                 std::vector<Error>& hook_failures);
  void run_job(const SnapshotJob& job, JobOutcome& outcome);
  void run_steps(const SnapshotJob& job, JobOutcome& outcome);
  SnapshotResult take(const SnapshotJob& job);
  std::optional<RecentSnapshot> find_recent(const SnapshotJob& job);
  void prune(const RunPlan& plan, RunOutcome& run);
  void fail(JobOutcome& outcome, const std::exception_ptr& thrown);
  void stop(const Error& e, const std::exception_ptr& thrown);
  std::optional<Error> begin(HookScope& scope, std::vector<Error>& failures);
  void end(HookScope& scope, const Hooks& hooks, const HookFacts& facts, ExitStatus status,
           std::vector<Error>& failures);

  RunHost& m_host;
  RunListener& m_listener;
  RunOptions m_options;
  SnapshotStep m_snapshot;
  std::vector<std::unique_ptr<JobStep>> m_afterwards;
  std::map<std::string, OpenedStore> m_stores;
  std::optional<Error> m_stopped;  // why no further job is begun
  int m_signal = 0;
  std::exception_ptr m_ended_by;
};

// The newest snapshot of a job's series in its store that can be relied on, where it is younger than that.
std::optional<RecentSnapshot> find_recent_snapshot(RunStore& store, const std::string& series, Nanoseconds older_than);

}  // namespace cairn
