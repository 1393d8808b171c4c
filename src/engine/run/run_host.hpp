// A run's demands on whoever starts it: the stores, sources and state of this host, and somebody who hears how it goes.
#pragma once

#include "capture/source.hpp"
#include "engine/context.hpp"
#include "engine/prune/pruner.hpp"
#include "engine/run/hooks.hpp"
#include "engine/run/outcome.hpp"
#include "engine/run/snapshot_job.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "repo/repository.hpp"
#include "repo/sequence_memory.hpp"
#include "util/file.hpp"
#include "util/log.hpp"
#include "util/time.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace cairn {

// A store that is open.
class RunStore {
 public:
  RunStore() = default;
  RunStore(const RunStore&) = delete;
  RunStore& operator=(const RunStore&) = delete;
  virtual ~RunStore() = default;
  // Not to be used after the store.
  virtual Context context() = 0;
  // Since when this host has had its own key there (SeriesClaim); nothing: it has none.
  virtual std::optional<Time> own_key_since() const = 0;
};

enum class RunAccess {
  read,  // nothing is stored there, and nothing made
  write,
};

// Used by one thread. Every failure is thrown as Error.
class RunHost {
 public:
  RunHost() = default;
  RunHost(const RunHost&) = delete;
  RunHost& operator=(const RunHost&) = delete;
  virtual ~RunHost() = default;
  virtual std::unique_ptr<RunStore> open_store(const std::string& store, RunAccess access) = 0;
  // repository: into which it is captured. The files that this host's runs write themselves are left out.
  virtual std::unique_ptr<Source> open_source(const SnapshotJob& job, const Repository& repository) = 0;
  // A request with what is the host's in it: spool, its limit as of now, signing key.
  virtual SnapshotRequest new_request() = 0;
  // Rehearses the restore of a job's snapshot from its store, and records that; see engine/drill.
  virtual DrillRecord drill(const SnapshotJob& job, const Digest& id) = 0;
  // A request with the retention of every series in it.
  virtual PruneRequest new_prune() = 0;
  // Where the locks of this host's runs are; empty: it has no place for them.
  virtual fs::path locks() = 0;
  // Where packs wait that are pushed.
  virtual fs::path spool() = 0;
  virtual const SequenceMemory& sequences() = 0;
  virtual Reporter& reporter() = 0;
};

// Told as it happens: a run of several sources may take hours. Prints, or does nothing.
class RunListener {
 public:
  RunListener() = default;
  RunListener(const RunListener&) = delete;
  RunListener& operator=(const RunListener&) = delete;
  virtual ~RunListener() = default;
  // A job is looked at from now on, and no more. Before its lock is waited for; after its last program.
  virtual void job_begun(const JobOutcome&) {}
  virtual void job_ended(const JobOutcome&) {}
  // The snapshot is committed (or would be, of a dry run), and its source let go. Its number is noted afterwards.
  virtual void captured(const SnapshotResult& result) = 0;
  // The job's snapshot has a result or a failure.
  virtual void snapshot_ended(const JobOutcome& outcome) = 0;
  // outcome: of the job; push: of one of its targets.
  virtual void push_ended(const JobOutcome& outcome, const PushOutcome& push) = 0;
  // The snapshot was looked at in one of its stores.
  virtual void verify_ended(const JobOutcome& outcome, const VerifyOutcome& verification) = 0;
  // A restore of the snapshot was rehearsed.
  virtual void drill_ended(const JobOutcome& outcome) = 0;
  // The job has a recent snapshot, and nothing is done for it.
  virtual void left_alone(const JobOutcome& outcome) = 0;
  // Another run has the job's source now; holder: its process, where that is known.
  virtual void waiting(const JobOutcome& outcome, std::optional<pid_t> holder) = 0;
  // A program printed this line.
  virtual void hook_said(const HookCall& call, std::string_view line) = 0;
  // failure: nothing where it went well. Else it is told elsewhere, too.
  virtual void hook_ended(const HookCall& call, const std::optional<Error>& failure) = 0;
  // Something that belongs to no snapshot: a program after it, one before a group or the run.
  virtual void failed(const Error& failure) = 0;
  virtual void prune_ended(const PruneOutcome& prune) = 0;
};

}  // namespace cairn
