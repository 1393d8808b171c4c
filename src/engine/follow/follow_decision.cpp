#include "engine/follow/follow_decision.hpp"

namespace cairn {

const char* follow_outcome_name(FollowOutcome outcome) noexcept {
  switch (outcome) {
    case FollowOutcome::current:
      return "current";
    case FollowOutcome::applied:
      return "applied";
    case FollowOutcome::program_failed:
      return "program_failed";
    case FollowOutcome::untrusted:
      return "untrusted";
    case FollowOutcome::doubtful:
      return "doubtful";
    case FollowOutcome::store_away:
      return "store_away";
    case FollowOutcome::no_snapshot:
      return "no_snapshot";
    case FollowOutcome::refused:
      return "refused";
    case FollowOutcome::busy:
      return "busy";
    case FollowOutcome::damaged:
      return "damaged";
    case FollowOutcome::failed:
      break;
  }
  return "failed";
}

bool is_up_to_date(FollowOutcome outcome) noexcept {
  return outcome == FollowOutcome::current || outcome == FollowOutcome::applied;
}

FollowOutcome outcome_of(const Error& failure) noexcept {
  if (const auto* const of_store = dynamic_cast<const StoreError*>(&failure)) {
    const bool away = of_store->kind() == ErrorKind::failed || of_store->kind() == ErrorKind::not_found;
    if (of_store->transient() || away) return FollowOutcome::store_away;
  }
  switch (failure.kind()) {
    case ErrorKind::usage:
      return FollowOutcome::refused;
    case ErrorKind::damaged:
      return FollowOutcome::damaged;
    case ErrorKind::not_found:
      return FollowOutcome::no_snapshot;
    case ErrorKind::busy:
      return FollowOutcome::busy;
    case ErrorKind::untrusted:
      return FollowOutcome::untrusted;
    case ErrorKind::failed:
    case ErrorKind::no_key:
    case ErrorKind::interrupted:
      break;
  }
  return FollowOutcome::failed;
}

ExitStatus status_of(FollowOutcome outcome) noexcept {
  switch (outcome) {
    case FollowOutcome::current:
    case FollowOutcome::applied:
      return ExitStatus::done;
    case FollowOutcome::untrusted:
      return ExitStatus::untrusted;
    case FollowOutcome::doubtful:
      return ExitStatus::incomplete;
    case FollowOutcome::refused:
      return ExitStatus::usage;
    case FollowOutcome::no_snapshot:
      return ExitStatus::not_found;
    case FollowOutcome::busy:
      return ExitStatus::busy;
    case FollowOutcome::damaged:
      return ExitStatus::damaged;
    case FollowOutcome::program_failed:
    case FollowOutcome::store_away:
    case FollowOutcome::failed:
      break;
  }
  return ExitStatus::failed;
}

FollowStep decide(FollowMode mode, const FollowHistory& before, FollowOutcome outcome) noexcept {
  FollowStep step;
  const bool mistaken = outcome == FollowOutcome::refused || outcome == FollowOutcome::no_snapshot;
  step.ends = mode == FollowMode::once || (!before.established && mistaken);
  const bool good = is_up_to_date(outcome);
  step.tell = !good && before.last != outcome;
  step.recovered = good && before.last && !is_up_to_date(*before.last);
  return step;
}

}  // namespace cairn
