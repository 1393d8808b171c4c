// The outcomes of the jobs of a run, and the exit status that they make. Pure.
#pragma once

#include "engine/prune/pruner.hpp"
#include "engine/push/pusher.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "engine/verify/verifier.hpp"
#include "repo/drill_record.hpp"
#include "util/error.hpp"
#include "util/exit_status.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct PushOutcome {
  std::string store;
  std::optional<PushResult> result;
  std::optional<Error> failure;  // where there is no result

  // Everything is there.
  bool complete() const noexcept;
};

// Of the snapshot that the run took, in one of the stores that have it.
struct VerifyOutcome {
  std::string store;
  VerifyLevel level = VerifyLevel::quick;
  std::optional<VerifyResult> result;
  std::optional<Error> failure;  // where there is no result
};

// Of the restore of the snapshot that the run took, from its store.
struct RehearsalOutcome {
  std::optional<DrillRecord> record;
  std::optional<Error> failure;  // where there is no record
};

struct PruneOutcome {
  std::string store;
  std::optional<PrunePlan> plan;
  std::optional<PruneResult> result;  // where the plan was carried out
  std::vector<Error> failures;        // why it was not, the first one first
  std::string left;                   // why it was not even planned
};

struct RecentSnapshot {
  Digest id;
  Time cut_point;
  Nanoseconds age{};
};

struct JobOutcome {
  std::string series;
  std::string source;                    // the job's name where there are several, for messages; else empty
  std::string name;                      // the job's
  std::string group;                     // the group's as part of which it was done; empty: none
  std::vector<std::string> stores;       // stores_of() the job
  std::optional<SnapshotResult> result;  // of a dry run, too
  // Where there is no result; what failed after it is in the parts below. Of a job that was not begun what kept it from
  // that, which names the source: another run that has it, a program before it, its group or the run, or a signal.
  std::optional<Error> failure;
  bool begun = true;
  std::optional<RecentSnapshot> left_alone;  // then there is neither result nor failure
  std::vector<PushOutcome> pushes;
  std::vector<VerifyOutcome> verifications;
  std::optional<RehearsalOutcome> drill;  // where one was due
  std::vector<Error> hook_failures;       // but for before: that is the failure
  int signal = 0;                         // that ended it, with what it had then
};

struct RunOutcome {
  std::vector<JobOutcome> jobs;  // all of the plan, in order
  std::vector<PruneOutcome> prunes;
  std::vector<Error> hook_failures;  // of the run's own hooks and the groups'
  int signal = 0;                    // that ended it
};

// A snapshot that is not where it should be is not_pushed whatever the cause, but where the other store is damaged or
// not to be trusted, or this one damaged: waiting does not help there.
ExitStatus status_of(const PushOutcome& outcome) noexcept;
ExitStatus status_of(const VerifyOutcome& outcome) noexcept;
ExitStatus status_of(const RehearsalOutcome& outcome) noexcept;
ExitStatus status_of(const PruneOutcome& outcome) noexcept;
// The gravest of the parts.
ExitStatus status_of(const JobOutcome& outcome) noexcept;
ExitStatus status_of(const RunOutcome& outcome) noexcept;

// The gravest of all outcomes decides.
struct RunVerdict {
  enum class Grade {
    done,
    incomplete,  // a snapshot is incomplete or in doubt
    not_pushed,  // a snapshot is not where it should be, too
    failed,      // a snapshot was not taken, or a hook failed
  };
  Grade grade = Grade::done;
  ErrorKind kind = ErrorKind::failed;  // where it failed: of the first failure
};
// Of jobs that are no more than captured and pushed: the first failure counts, whatever its kind.
RunVerdict verdict_of(const std::vector<JobOutcome>& outcomes) noexcept;

// How far apart the states lie that several snapshots hold; nothing for one job, or where none was taken.
std::optional<std::chrono::nanoseconds> cut_point_spread(const std::vector<JobOutcome>& outcomes) noexcept;

}  // namespace cairn
