// The steps of a job in a run.
#pragma once

#include "engine/run/outcome.hpp"
#include "engine/run/run_host.hpp"
#include "engine/run/snapshot_job.hpp"
#include "engine/snapshot/snapshotter.hpp"

namespace cairn {

// One thing that is done for a job once its snapshot has a result or a failure. Steps are run in order; each adds to
// the outcome what became of it.
class JobStep {
 public:
  JobStep() = default;
  JobStep(const JobStep&) = delete;
  JobStep& operator=(const JobStep&) = delete;
  virtual ~JobStep() = default;
  // Whether it is done, by what the steps before have left.
  virtual bool applies(const JobOutcome& outcome) const = 0;
  // store: into which the job's snapshot went. Notes in the outcome what fails; throws Error(interrupted), which ends
  // the whole run.
  virtual void run(const SnapshotJob& job, RunStore& store, JobOutcome& outcome) = 0;
};

// The first thing that is done for a job: takes the snapshot, with the alarm for those before it (RollbackAlarm).
class SnapshotStep {
 public:
  struct Options {
    DryRun dry_run = DryRun::no;
    bool reread = false;
  };
  SnapshotStep(RunHost& host, RunListener& listener, Options options)
      : m_host(host), m_listener(listener), m_options(options) {}
  // An exception fails the job.
  SnapshotResult run(const SnapshotJob& job, RunStore& store);

 private:
  SnapshotResult capture(const SnapshotJob& job, RunStore& store, bool taken_before);

  RunHost& m_host;
  RunListener& m_listener;
  Options m_options;
};

// Pushes the snapshot to the stores of its job. The snapshot stays committed here: a push that fails is noted, and made
// up for by the next one, which takes all that is newer than the target's newest. The snapshot itself goes there in any
// case: another run that began later, or a clock that was wrong once, may have put a newer one there.
class PushStep : public JobStep {
 public:
  PushStep(RunHost& host, RunListener& listener) : m_host(host), m_listener(listener) {}
  bool applies(const JobOutcome& outcome) const override { return outcome.result.has_value(); }
  void run(const SnapshotJob& job, RunStore& store, JobOutcome& outcome) override;

 private:
  RunHost& m_host;
  RunListener& m_listener;
};

// Looks at the snapshot in the stores that have it now, at the level of the job: that it would restore from there.
class VerifyStep : public JobStep {
 public:
  VerifyStep(RunHost& host, RunListener& listener) : m_host(host), m_listener(listener) {}
  bool applies(const JobOutcome& outcome) const override { return outcome.result.has_value(); }
  void run(const SnapshotJob& job, RunStore& store, JobOutcome& outcome) override;

 private:
  // open: null where it has to be opened.
  void verify_in(const std::string& name, RunStore* open, VerifyLevel level, JobOutcome& outcome);

  RunHost& m_host;
  RunListener& m_listener;
};

// Rehearses the restore of the snapshot, where the newest drill of its series in its store is older than the job says.
class DrillStep : public JobStep {
 public:
  DrillStep(RunHost& host, RunListener& listener) : m_host(host), m_listener(listener) {}
  bool applies(const JobOutcome& outcome) const override { return outcome.result.has_value(); }
  void run(const SnapshotJob& job, RunStore& store, JobOutcome& outcome) override;

 private:
  RunHost& m_host;
  RunListener& m_listener;
};

// Whether a drill of the job's series is due in its store.
bool is_drill_due(RunStore& store, const SnapshotJob& job);

}  // namespace cairn
