#include "engine/notify/notice.hpp"

#include "store/store_url.hpp"
#include "util/units.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

namespace {

Observation series_in_store(const std::string& series, const std::string& store) {
  Observation out;
  out.series = series;
  out.store = without_secrets(store);
  out.about = fmt::format("series {} in store {}", quote(series), quote(out.store));
  return out;
}

void set_failure(Observation& to, const Error& failure) {
  to.message = failure.message();
  to.hint = failure.hint();
}

// The first check that failed: cairn status and cairn show tell of the others.
void explain(Observation& to, const RehearsalOutcome& drill) {
  if (drill.failure) return set_failure(to, *drill.failure);
  to.message = "the drill failed";
  for (const auto& check : drill.record->checks) {
    if (check.result != DrillCheck::Result::failed) continue;
    to.message += fmt::format(": {}{}{}", check.name, check.message.empty() ? "" : ": ", check.message);
    return;
  }
}

// The first thing that went wrong with a job, in the order in which it was done.
void explain(Observation& to, const JobOutcome& outcome) {
  if (outcome.failure) return set_failure(to, *outcome.failure);
  if (outcome.result && outcome.result->incomplete) {
    to.message = outcome.result->doubt == Doubt::none ? "some of it could not be read"
                                                      : fmt::format("in doubt: {}", doubt_name(outcome.result->doubt));
    return;
  }
  for (const auto& push : outcome.pushes) {
    if (status_of(push) == ExitStatus::done) continue;
    to.message = fmt::format("not all of it is in store {}", quote(without_secrets(push.store)));
    if (push.failure) set_failure(to, *push.failure);
    return;
  }
  for (const auto& verification : outcome.verifications) {
    if (status_of(verification) == ExitStatus::done) continue;
    to.message = fmt::format("damage found in store {}", quote(without_secrets(verification.store)));
    if (verification.failure) set_failure(to, *verification.failure);
    return;
  }
  if (outcome.drill && status_of(*outcome.drill) != ExitStatus::done) return explain(to, *outcome.drill);
  if (!outcome.hook_failures.empty()) return set_failure(to, outcome.hook_failures.front());
  if (outcome.signal != 0) to.message = "a signal ended it";
}

// A source that was left alone says nothing of how it went when it was last tried.
void observe_left_alone(std::vector<Observation>& to, const JobOutcome& outcome, const MaxAgeOf& max_age) {
  const auto limit = max_age(outcome.series);
  if (!limit || outcome.stores.empty()) return;
  Observation seen = series_in_store(outcome.series, outcome.stores.front());
  seen.source = outcome.name;
  seen.snapshot = outcome.left_alone->id.hex();
  if (outcome.left_alone->age > *limit) {
    seen.condition = Condition::stale;
    seen.status = ExitStatus::stale;
    seen.message =
        fmt::format("newest is {} old, limit {}", format_duration(outcome.left_alone->age), format_duration(*limit));
  }
  to.push_back(std::move(seen));
}

// A snapshot that was just taken makes its series fresh wherever it is.
void observe_fresh(std::vector<Observation>& to, const JobOutcome& outcome) {
  if (!outcome.result || outcome.result->incomplete || outcome.stores.empty()) return;
  const auto add = [&](const std::string& store) {
    to.push_back(series_in_store(outcome.series, store));
    to.back().source = outcome.name;
    to.back().snapshot = outcome.result->id.hex();
  };
  add(outcome.stores.front());
  for (const auto& push : outcome.pushes) {
    if (push.complete()) add(push.store);
  }
}

void observe(std::vector<Observation>& to, const JobOutcome& outcome, const MaxAgeOf& max_age) {
  if (outcome.left_alone) return observe_left_alone(to, outcome, max_age);
  const ExitStatus status = status_of(outcome);
  if (!outcome.begun && status == ExitStatus::done) return;  // a signal came first
  Observation seen;
  seen.about = fmt::format("source {}", quote(outcome.name));
  seen.source = outcome.name;
  seen.series = outcome.series;
  if (!outcome.stores.empty()) seen.store = without_secrets(outcome.stores.front());
  if (outcome.result) seen.snapshot = outcome.result->id.hex();
  seen.status = status;
  if (status != ExitStatus::done) {
    seen.condition = Condition::failed;
    explain(seen, outcome);
  }
  to.push_back(std::move(seen));
  observe_fresh(to, outcome);
}

}  // namespace

const char* condition_name(Condition condition) noexcept {
  switch (condition) {
    case Condition::well:
      return "well";
    case Condition::failed:
      return "failed";
    case Condition::stale:
      break;
  }
  return "stale";
}

std::vector<Observation> observations_of(const RunOutcome& run, RunScope scope, const MaxAgeOf& max_age) {
  std::vector<Observation> out;
  for (const auto& job : run.jobs) observe(out, job, max_age);
  for (const auto& prune : run.prunes) {
    if (!prune.left.empty()) continue;  // as damage was found, of which its source tells
    Observation seen;
    seen.store = without_secrets(prune.store);
    seen.about = fmt::format("prune of store {}", quote(seen.store));
    seen.status = status_of(prune);
    if (!prune.failures.empty()) {
      seen.condition = Condition::failed;
      set_failure(seen, prune.failures.front());
    }
    out.push_back(std::move(seen));
  }
  if (!run.hook_failures.empty() || (run.signal == 0 && scope == RunScope::whole)) {
    Observation seen;
    seen.about = "programs around the run";
    if (!run.hook_failures.empty()) {
      seen.condition = Condition::failed;
      seen.status = ExitStatus::failed;
      set_failure(seen, run.hook_failures.front());
    }
    out.push_back(std::move(seen));
  }
  return out;
}

Observation observation_of(const SeriesStatus& series, const std::string& store) {
  Observation seen = series_in_store(series.series, store);
  if (series.newest) seen.snapshot = series.newest->id.hex();
  if (series.freshness == Freshness::stale) {
    seen.condition = Condition::stale;
    seen.status = ExitStatus::stale;
    seen.message = remark(series);
  }
  return seen;
}

Observation observation_of_store(const std::string& store, const std::optional<Error>& failure) {
  Observation seen;
  seen.store = without_secrets(store);
  seen.about = fmt::format("store {}", quote(seen.store));
  if (failure) {
    seen.condition = Condition::failed;
    seen.status = ExitStatus{exit_status_of(failure->kind(), 0)};
    set_failure(seen, *failure);
  }
  return seen;
}

Decision decide(const KnownState& known, const Observation& observed, const NotifyRules& rules, Time now) {
  Decision out;
  if (observed.condition == Condition::well) {
    if (known.condition == Condition::well) return out;
    out.since = known.since;
    if (!rules.on.contains(NotifyEvent::recovery)) return out;
    out.event = NotifyEvent::recovery;
    out.if_not_told = known;
    return out;
  }
  const bool goes_on = known.condition == observed.condition;
  const KnownState state = goes_on ? known : KnownState{observed.condition, now, std::nullopt, {}};
  out.since = state.since;
  out.if_not_told = state;
  out.if_told = state;
  const bool heard = std::find(state.told_as.begin(), state.told_as.end(), observed.status) != state.told_as.end();
  const bool due = rules.remind && state.told && elapsed(*state.told, now) >= *rules.remind;
  const NotifyEvent event = observed.condition == Condition::stale ? NotifyEvent::stale : NotifyEvent::failure;
  if ((heard && !due) || !rules.on.contains(event)) return out;
  out.event = event;
  out.if_told.told = now;
  if (!heard) out.if_told.told_as.push_back(observed.status);
  return out;
}

}  // namespace cairn
