#include "engine/run/outcome.hpp"

#include "util/time.hpp"

#include <algorithm>

namespace cairn {

namespace {

ExitStatus status_of_error(const Error& error) noexcept {
  return ExitStatus{exit_status_of(error.kind(), 0)};
}

// The status of a program that a signal ended.
ExitStatus status_of_signal(int signal) noexcept {
  return ExitStatus{exit_status_of(ErrorKind::interrupted, signal)};
}

template <class Parts>
ExitStatus gravest_of(const Parts& parts, ExitStatus status) noexcept {
  for (const auto& part : parts) status = gravest(status, status_of(part));
  return status;
}

// Of a snapshot that did not get there.
ExitStatus not_pushed_because(const Error& error) noexcept {
  switch (error.kind()) {
    case ErrorKind::damaged:
      return ExitStatus::damaged;
    case ErrorKind::untrusted:
      return ExitStatus::untrusted;
    default:
      return ExitStatus::not_pushed;
  }
}

}  // namespace

bool PushOutcome::complete() const noexcept {
  return result && result->unreadable.empty() &&
         std::all_of(result->snapshots.begin(), result->snapshots.end(),
                     [](const PushedSnapshot& snapshot) { return !snapshot.failure; });
}

ExitStatus status_of(const PushOutcome& outcome) noexcept {
  if (outcome.failure) return not_pushed_because(*outcome.failure);
  ExitStatus status = ExitStatus::done;
  if (!outcome.result) return status;
  if (!outcome.result->unreadable.empty()) status = ExitStatus::damaged;
  for (const auto& snapshot : outcome.result->snapshots) {
    if (snapshot.failure) status = gravest(status, not_pushed_because(*snapshot.failure));
  }
  return status;
}

ExitStatus status_of(const VerifyOutcome& outcome) noexcept {
  if (outcome.failure) return status_of_error(*outcome.failure);
  return outcome.result && !outcome.result->problems.empty() ? ExitStatus::damaged : ExitStatus::done;
}

ExitStatus status_of(const RehearsalOutcome& outcome) noexcept {
  if (outcome.failure) return status_of_error(*outcome.failure);
  return outcome.record && outcome.record->outcome == DrillOutcome::failed ? ExitStatus::damaged : ExitStatus::done;
}

ExitStatus status_of(const PruneOutcome& outcome) noexcept {
  ExitStatus status = ExitStatus::done;
  for (const auto& failure : outcome.failures) status = gravest(status, status_of_error(failure));
  return status;
}

ExitStatus status_of(const JobOutcome& outcome) noexcept {
  ExitStatus status = ExitStatus::done;
  if (outcome.signal != 0) status = status_of_signal(outcome.signal);
  if (outcome.failure && outcome.failure->kind() != ErrorKind::interrupted) {
    status = gravest(status, status_of_error(*outcome.failure));
  }
  if (!outcome.hook_failures.empty()) status = gravest(status, ExitStatus::failed);
  if (outcome.result && outcome.result->incomplete) status = gravest(status, ExitStatus::incomplete);
  if (outcome.drill) status = gravest(status, status_of(*outcome.drill));
  return gravest_of(outcome.verifications, gravest_of(outcome.pushes, status));
}

ExitStatus status_of(const RunOutcome& outcome) noexcept {
  ExitStatus status = outcome.signal == 0 ? ExitStatus::done : status_of_signal(outcome.signal);
  if (!outcome.hook_failures.empty()) status = gravest(status, ExitStatus::failed);
  return gravest_of(outcome.prunes, gravest_of(outcome.jobs, status));
}

RunVerdict verdict_of(const std::vector<JobOutcome>& outcomes) noexcept {
  using Grade = RunVerdict::Grade;
  RunVerdict verdict;
  for (const auto& outcome : outcomes) {
    if (outcome.failure) return {Grade::failed, outcome.failure->kind()};
    if (!outcome.hook_failures.empty()) verdict.grade = Grade::failed;
    if (outcome.result && outcome.result->incomplete) verdict.grade = std::max(verdict.grade, Grade::incomplete);
    const bool pushed = std::all_of(outcome.pushes.begin(), outcome.pushes.end(),
                                    [](const PushOutcome& push) { return push.complete(); });
    if (!pushed) verdict.grade = std::max(verdict.grade, Grade::not_pushed);
  }
  return verdict;
}

std::optional<std::chrono::nanoseconds> cut_point_spread(const std::vector<JobOutcome>& outcomes) noexcept {
  std::optional<Time> first;
  std::optional<Time> last;
  for (const auto& outcome : outcomes) {
    if (!outcome.result) continue;
    const Time at = outcome.result->cut_point;
    first = std::min(first.value_or(at), at);
    last = std::max(last.value_or(at), at);
  }
  if (!first || outcomes.size() < 2) return std::nullopt;
  return *last - *first;
}

}  // namespace cairn
