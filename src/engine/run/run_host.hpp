// A run's demands on whoever starts it: the stores, sources and state of this host, and somebody who hears how it goes.
#pragma once

#include "capture/source.hpp"
#include "engine/context.hpp"
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

namespace cairn {

// A store that is open for writing.
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

// Used by one thread. Every failure is thrown as Error.
class RunHost {
 public:
  RunHost() = default;
  RunHost(const RunHost&) = delete;
  RunHost& operator=(const RunHost&) = delete;
  virtual ~RunHost() = default;
  virtual std::unique_ptr<RunStore> open_store(const std::string& store) = 0;
  // repository: into which it is captured. The files that this host's runs write themselves are left out.
  virtual std::unique_ptr<Source> open_source(const SnapshotJob& job, const Repository& repository) = 0;
  // A request with what is the host's in it: spool, its limit as of now, signing key.
  virtual SnapshotRequest new_request() = 0;
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
  // The snapshot is committed (or would be, of a dry run), and its source let go. Its number is noted afterwards.
  virtual void captured(const SnapshotResult& result) = 0;
  // The job's snapshot has a result or a failure.
  virtual void snapshot_ended(const JobOutcome& outcome) = 0;
  // outcome: of the job; push: of one of its targets.
  virtual void push_ended(const JobOutcome& outcome, const PushOutcome& push) = 0;
};

}  // namespace cairn
