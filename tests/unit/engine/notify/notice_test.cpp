#include "engine/notify/notice.hpp"

#include <chrono>
#include <optional>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

const Time k_now{std::chrono::hours{24 * 365 * 50}};
const NotifyRules k_all{{NotifyEvent::failure, NotifyEvent::recovery, NotifyEvent::stale}, std::nullopt};

Observation well() {
  Observation out;
  out.about = "source 'app'";
  return out;
}

Observation bad(ExitStatus status) {
  Observation out = well();
  out.condition = status == ExitStatus::stale ? Condition::stale : Condition::failed;
  out.status = status;
  return out;
}

// Several nights one after another, everything told; the events.
std::vector<std::optional<NotifyEvent>> nights(const std::vector<Observation>& seen, const NotifyRules& rules,
                                               Nanoseconds apart = 24h, bool arrives = true) {
  std::vector<std::optional<NotifyEvent>> out;
  KnownState known;
  Time now = k_now;
  for (const auto& each : seen) {
    const Decision decision = decide(known, each, rules, now);
    out.push_back(decision.event);
    known = decision.event && arrives ? decision.if_told : decision.if_not_told;
    now += apart;
  }
  return out;
}

constexpr auto k_none = std::optional<NotifyEvent>{};
constexpr auto k_failure = std::optional{NotifyEvent::failure};
constexpr auto k_recovery = std::optional{NotifyEvent::recovery};
constexpr auto k_stale = std::optional{NotifyEvent::stale};
using Events = std::vector<std::optional<NotifyEvent>>;

JobOutcome job() {
  JobOutcome out;
  out.name = "app";
  out.series = "app-series";
  out.stores = {"here", "there"};
  return out;
}

JobOutcome taken() {
  JobOutcome out = job();
  out.result.emplace();
  return out;
}

RunOutcome run_of(JobOutcome outcome) {
  RunOutcome run;
  run.jobs.push_back(std::move(outcome));
  return run;
}

std::vector<std::string> abouts(const std::vector<Observation>& seen, Condition condition) {
  std::vector<std::string> out;
  for (const auto& each : seen) {
    if (each.condition == condition) out.push_back(each.about);
  }
  return out;
}

std::optional<Nanoseconds> no_limit(const std::string&) {
  return std::nullopt;
}

}  // namespace

TEST_CASE("notify: a failure and a recovery are told once each") {
  const auto failed = bad(ExitStatus::failed);
  CHECK(nights({well(), failed, failed, failed, well(), well()}, k_all) ==
        Events{k_none, k_failure, k_none, k_none, k_recovery, k_none});
  CHECK(nights({failed, well(), failed}, k_all) == Events{k_failure, k_recovery, k_failure});
}

TEST_CASE("notify: each kind of failure is told once until it is over, whatever comes and goes") {
  CHECK(nights({bad(ExitStatus::incomplete), bad(ExitStatus::failed), bad(ExitStatus::incomplete),
                bad(ExitStatus::failed), bad(ExitStatus::damaged), well(), bad(ExitStatus::incomplete)},
               k_all) == Events{k_failure, k_failure, k_none, k_none, k_failure, k_recovery, k_failure});
  // Damage after a run that was stopped is told: that a signal is graver as an exit status means nothing here.
  CHECK(nights({bad(ExitStatus::terminated), bad(ExitStatus::damaged)}, k_all) == Events{k_failure, k_failure});
}

TEST_CASE("notify: stale and failed are different states of one thing") {
  CHECK(nights({bad(ExitStatus::stale), bad(ExitStatus::stale), bad(ExitStatus::failed), well()}, k_all) ==
        Events{k_stale, k_none, k_failure, k_recovery});
}

TEST_CASE("notify: a failure that goes on is told again where that is wanted") {
  NotifyRules rules = k_all;
  rules.remind = 2 * 24h;
  const auto failed = bad(ExitStatus::failed);
  CHECK(nights({failed, failed, failed, failed, failed}, rules) ==
        Events{k_failure, k_none, k_failure, k_none, k_failure});
}

TEST_CASE("notify: nobody is told of what nobody wants to hear") {
  NotifyRules rules = k_all;
  rules.on = {NotifyEvent::recovery};
  CHECK(nights({bad(ExitStatus::failed), bad(ExitStatus::stale), well(), well()}, rules) ==
        Events{k_none, k_none, k_recovery, k_none});
  rules.on = {NotifyEvent::failure};
  CHECK(nights({bad(ExitStatus::failed), well(), bad(ExitStatus::failed)}, rules) ==
        Events{k_failure, k_none, k_failure});
}

TEST_CASE("notify: what reached nobody is told by the next run") {
  const auto failed = bad(ExitStatus::failed);
  CHECK(nights({failed, failed, well(), well()}, k_all, 24h, false) ==
        Events{k_failure, k_failure, k_recovery, k_recovery});
  // Also where it is of another kind.
  const Decision first = decide({}, bad(ExitStatus::incomplete), k_all, k_now);
  const Decision second = decide(first.if_told, failed, k_all, k_now + 1h);
  const Decision third = decide(second.if_not_told, failed, k_all, k_now + 2h);
  CHECK(third.event == k_failure);
  CHECK(third.since == k_now);
}

TEST_CASE("notify: a source that went well is well, and its series fresh where it was put") {
  JobOutcome outcome = taken();
  PushOutcome push;
  push.store = "there";
  push.result.emplace();
  outcome.pushes.push_back(push);
  const auto seen = observations_of(run_of(outcome), RunScope::whole, no_limit);
  CHECK(abouts(seen, Condition::well) == std::vector<std::string>{"source 'app'", "series 'app-series' in store 'here'",
                                                                  "series 'app-series' in store 'there'",
                                                                  "programs around the run"});
  CHECK(abouts(seen, Condition::failed).empty());
}

TEST_CASE("notify: a push that fails is a failure of the source, and says nothing of the series there") {
  JobOutcome outcome = taken();
  PushOutcome push;
  push.store = "s3://user:secret@there/x";
  push.failure = Error(ErrorKind::failed, "unreachable", "wait");
  outcome.pushes.push_back(push);
  const auto seen = observations_of(run_of(outcome), RunScope::whole, no_limit);
  CHECK(seen.at(0).status == ExitStatus::not_pushed);
  CHECK(seen.at(0).message == "unreachable");
  CHECK(seen.at(0).hint == "wait");
  CHECK(abouts(seen, Condition::well) ==
        std::vector<std::string>{"series 'app-series' in store 'here'", "programs around the run"});
}

TEST_CASE("notify: a drill that fails is a failure of the source, with its first failed check") {
  JobOutcome outcome = taken();
  DrillRecord record;
  record.outcome = DrillOutcome::failed;
  record.checks = {{"integrity app.db", DrillCheck::Result::passed, ""},
                   {"rows app.db", DrillCheck::Result::failed, "orders lost 60 %"},
                   {"command 1", DrillCheck::Result::failed, "status 3"}};
  outcome.drill.emplace();
  outcome.drill->record = record;
  CHECK(observations_of(run_of(outcome), RunScope::whole, no_limit).at(0).message ==
        "the drill failed: rows app.db: orders lost 60 %");
  CHECK(observations_of(run_of(outcome), RunScope::whole, no_limit).at(0).status == ExitStatus::damaged);

  outcome.drill->record->outcome = DrillOutcome::passed;
  CHECK(abouts(observations_of(run_of(outcome), RunScope::whole, no_limit), Condition::failed).empty());

  outcome.drill->record.reset();
  outcome.drill->failure = Error(ErrorKind::failed, "no room", "make some");
  CHECK(observations_of(run_of(outcome), RunScope::whole, no_limit).at(0).message == "no room");
}

TEST_CASE("notify: an incomplete snapshot is a failure, and makes nothing fresh") {
  JobOutcome outcome = taken();
  outcome.result->incomplete = true;
  const auto seen = observations_of(run_of(outcome), RunScope::whole, no_limit);
  CHECK(abouts(seen, Condition::failed) == std::vector<std::string>{"source 'app'"});
  CHECK(seen.size() == 2);
}

TEST_CASE("notify: a source that was left alone is judged by its limit, and by nothing where it has none") {
  JobOutcome outcome = job();
  outcome.left_alone = RecentSnapshot{{}, {}, 5h};
  const auto limit = [](Nanoseconds time) { return [time](const std::string&) { return std::optional{time}; }; };
  CHECK(abouts(observations_of(run_of(outcome), RunScope::whole, limit(4h)), Condition::stale) ==
        std::vector<std::string>{"series 'app-series' in store 'here'"});
  CHECK(abouts(observations_of(run_of(outcome), RunScope::whole, limit(6h)), Condition::well).front() ==
        "series 'app-series' in store 'here'");
  CHECK(observations_of(run_of(outcome), RunScope::whole, no_limit).size() == 1);
}

TEST_CASE("notify: of what a signal kept from being begun nothing is known") {
  JobOutcome outcome = job();
  outcome.begun = false;
  outcome.failure = Error(ErrorKind::interrupted, "terminated by SIGTERM");
  RunOutcome run = run_of(outcome);
  run.signal = 15;
  CHECK(observations_of(run, RunScope::whole, no_limit).empty());
}

TEST_CASE("notify: prunes and the run's programs are things of their own") {
  RunOutcome run;
  run.prunes.push_back({"here", {}, {}, {Error(ErrorKind::busy, "held")}, {}});
  run.prunes.push_back({"there", {}, {}, {}, {}});
  run.hook_failures.emplace_back(ErrorKind::failed, "the run's after hook 'x' exited with status 1");
  const auto seen = observations_of(run, RunScope::whole, no_limit);
  CHECK(abouts(seen, Condition::failed) ==
        std::vector<std::string>{"prune of store 'here'", "programs around the run"});
  CHECK(abouts(seen, Condition::well) == std::vector<std::string>{"prune of store 'there'"});
  CHECK(seen.at(0).status == ExitStatus::busy);
}

TEST_CASE("notify: what a run did not come to is not well for that") {
  RunOutcome run;
  run.prunes.push_back({"here", {}, {}, {}, "damage was found there"});
  CHECK(observations_of(run, RunScope::part, no_limit).empty());
  CHECK(abouts(observations_of(run, RunScope::whole, no_limit), Condition::well) ==
        std::vector<std::string>{"programs around the run"});
  run.hook_failures.emplace_back(ErrorKind::failed, "before hook 'x' of group 'g' exited with status 1");
  CHECK(abouts(observations_of(run, RunScope::part, no_limit), Condition::failed) ==
        std::vector<std::string>{"programs around the run"});
}
