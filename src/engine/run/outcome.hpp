// The outcomes of the jobs of a run.
#pragma once

#include "engine/push/pusher.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "util/error.hpp"

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

struct JobOutcome {
  std::string series;
  std::string source;                    // the job's name where there are several, for messages; else empty
  std::optional<SnapshotResult> result;  // of a dry run, too
  std::optional<Error> failure;          // where there is no result
  std::vector<PushOutcome> pushes;
};

// The gravest of all outcomes decides.
struct RunVerdict {
  enum class Grade {
    done,
    incomplete,  // a snapshot is incomplete or in doubt
    not_pushed,  // a snapshot is not where it should be, too
    failed,      // a snapshot was not taken
  };
  Grade grade = Grade::done;
  ErrorKind kind = ErrorKind::failed;  // where it failed: of the first failure
};
RunVerdict verdict_of(const std::vector<JobOutcome>& outcomes) noexcept;

// How far apart the states lie that several snapshots hold; nothing for one job, or where none was taken.
std::optional<std::chrono::nanoseconds> cut_point_spread(const std::vector<JobOutcome>& outcomes) noexcept;

}  // namespace cairn
