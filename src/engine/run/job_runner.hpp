// Takes the snapshots of several sources, one after another, and does with each what belongs to it.
//
// Room engine/run: puts the other use cases together (snapshot, push), by jobs and steps. Prints nothing and knows no
// configuration: whoever starts it gives jobs and a host, and gets outcomes.
#pragma once

#include "engine/run/job_step.hpp"
#include "engine/run/outcome.hpp"
#include "engine/run/run_host.hpp"
#include "engine/run/snapshot_job.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct RunOptions {
  SnapshotStep::Options snapshot;
  bool push = false;  // to the stores that the jobs name; not of a dry run
  // The exception that is thrown where a job fails. none: the failure itself, and the jobs that follow are not begun.
  // each_job: nothing: it is the job's outcome, and does not keep the others from being saved; a store that failed is
  // not tried again. A signal (Error(interrupted)) ends a run in any case.
  enum class Isolation { none, each_job };
  Isolation isolation = Isolation::each_job;
};

// One thread; once.
class JobRunner {
 public:
  JobRunner(RunHost& host, RunListener& listener, RunOptions options);
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  // Opens all stores before anything is read: the cut points of several sources shall lie close together. One outcome a
  // job, in order.
  std::vector<JobOutcome> execute(const std::vector<SnapshotJob>& jobs);

 private:
  struct OpenedStore {
    std::unique_ptr<RunStore> store;
    std::optional<Error> failure;  // it could not be opened, or failed since: so do all jobs that still need it
  };
  void open_stores(const std::vector<SnapshotJob>& jobs);
  bool isolates(const Error& e) const;
  void take(const SnapshotJob& job, JobOutcome& outcome);

  RunHost& m_host;
  RunListener& m_listener;
  RunOptions m_options;
  SnapshotStep m_snapshot;
  std::vector<std::unique_ptr<JobStep>> m_afterwards;
  std::map<std::string, OpenedStore> m_stores;
};

}  // namespace cairn
