#include "engine/run/outcome.hpp"

#include <chrono>
#include <vector>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

using Grade = RunVerdict::Grade;

JobOutcome taken(bool incomplete = false, Time cut_point = {}) {
  JobOutcome out;
  out.result.emplace();
  out.result->incomplete = incomplete;
  out.result->cut_point = cut_point;
  return out;
}

JobOutcome failed(ErrorKind kind) {
  JobOutcome out;
  out.failure = Error(kind, "why");
  return out;
}

JobOutcome pushed(PushOutcome push, bool incomplete = false) {
  JobOutcome out = taken(incomplete);
  out.pushes.push_back(std::move(push));
  return out;
}

PushOutcome complete_push() {
  PushOutcome out;
  out.result.emplace();
  out.result->snapshots.emplace_back();
  return out;
}

}  // namespace

TEST_CASE("run outcome: a push is complete if all that there is has arrived") {
  CHECK(complete_push().complete());
  PushOutcome push = complete_push();
  push.result->unreadable = {"manifests/s/x"};
  CHECK_FALSE(push.complete());
  push = complete_push();
  push.result->snapshots[0].failure = Error(ErrorKind::no_key, "closed");
  CHECK_FALSE(push.complete());
  push = {};
  push.failure = Error(ErrorKind::failed, "unreachable");
  CHECK_FALSE(push.complete());
}

TEST_CASE("run outcome: the gravest decides, and of failures the first") {
  CHECK(verdict_of({}).grade == Grade::done);
  CHECK(verdict_of({taken(), taken()}).grade == Grade::done);
  CHECK(verdict_of({taken(true), taken()}).grade == Grade::incomplete);
  CHECK(verdict_of({pushed(complete_push())}).grade == Grade::done);
  PushOutcome lost;
  lost.failure = Error(ErrorKind::busy, "held");
  CHECK(verdict_of({pushed(lost), taken(true)}).grade == Grade::not_pushed);
  CHECK(verdict_of({taken(true), pushed(lost, true)}).grade == Grade::not_pushed);
  const auto verdict = verdict_of({pushed(lost), failed(ErrorKind::no_key), failed(ErrorKind::usage)});
  CHECK(verdict.grade == Grade::failed);
  CHECK(verdict.kind == ErrorKind::no_key);
}

TEST_CASE("run outcome: the spread is that of the snapshots that there are") {
  const Time at = Time{} + std::chrono::days{20'000};
  CHECK_FALSE(cut_point_spread({taken(false, at)}));
  CHECK_FALSE(cut_point_spread({failed(ErrorKind::failed), failed(ErrorKind::failed)}));
  CHECK(cut_point_spread({taken(false, at), failed(ErrorKind::failed)}) == 0ns);
  CHECK(cut_point_spread({taken(false, at + 3s), taken(false, at), taken(false, at + 1s)}) == 3s);
}

namespace {

PushOutcome failed_push(ErrorKind kind) {
  PushOutcome out;
  out.failure = Error(kind, "why");
  return out;
}

VerifyOutcome verified(std::size_t problems) {
  VerifyOutcome out;
  out.result.emplace();
  out.result->problems.resize(problems);
  return out;
}

RunOutcome run_of(std::vector<JobOutcome> jobs) {
  RunOutcome out;
  out.jobs = std::move(jobs);
  return out;
}

}  // namespace

TEST_CASE("run outcome: of a run the gravest part gives the status, whatever the order") {
  CHECK(status_of(run_of({})) == ExitStatus::done);
  CHECK(status_of(run_of({taken(), taken()})) == ExitStatus::done);
  CHECK(status_of(run_of({taken(true), taken()})) == ExitStatus::incomplete);
  CHECK(status_of(run_of({pushed(complete_push())})) == ExitStatus::done);
  CHECK(status_of(run_of({taken(true), pushed(failed_push(ErrorKind::failed))})) == ExitStatus::not_pushed);
  CHECK(status_of(run_of({failed(ErrorKind::failed), failed(ErrorKind::usage), failed(ErrorKind::busy)})) ==
        ExitStatus::usage);
  // Every pair of the contract's order, both ways round.
  const std::vector<ErrorKind> order{ErrorKind::usage,     ErrorKind::untrusted, ErrorKind::damaged, ErrorKind::no_key,
                                     ErrorKind::not_found, ErrorKind::failed,    ErrorKind::busy};
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = i; j < order.size(); ++j) {
      const ExitStatus expected{exit_status_of(order[i], 0)};
      CHECK(status_of(run_of({failed(order[i]), failed(order[j])})) == expected);
      CHECK(status_of(run_of({failed(order[j]), failed(order[i])})) == expected);
    }
    CHECK(status_of(run_of({pushed(failed_push(ErrorKind::failed), true), failed(order[i])})) ==
          ExitStatus{exit_status_of(order[i], 0)});
  }
}

TEST_CASE("run outcome: a push that fails is not_pushed, but for what waiting does not mend") {
  for (const auto kind : {ErrorKind::failed, ErrorKind::not_found, ErrorKind::busy, ErrorKind::no_key}) {
    CHECK(status_of(failed_push(kind)) == ExitStatus::not_pushed);
  }
  CHECK(status_of(failed_push(ErrorKind::untrusted)) == ExitStatus::untrusted);
  CHECK(status_of(failed_push(ErrorKind::damaged)) == ExitStatus::damaged);
  PushOutcome part = complete_push();
  part.result->unreadable = {"snapshots/s/x"};
  CHECK(status_of(part) == ExitStatus::damaged);
  part = complete_push();
  part.result->snapshots[0].failure = Error(ErrorKind::no_key, "closed");
  CHECK(status_of(part) == ExitStatus::not_pushed);
}

TEST_CASE("run outcome: verification, hooks, prunes and signals have their part in it") {
  JobOutcome job = taken();
  job.verifications = {verified(0)};
  CHECK(status_of(job) == ExitStatus::done);
  job.hook_failures.emplace_back(ErrorKind::failed, "after hook");
  CHECK(status_of(job) == ExitStatus::failed);
  job.verifications.push_back(verified(2));
  CHECK(status_of(job) == ExitStatus::damaged);
  job.signal = 15;
  CHECK(status_of(job) == ExitStatus::terminated);
  job.signal = 2;
  CHECK(status_of(job) == ExitStatus::interrupted);

  RunOutcome run = run_of({taken()});
  run.prunes.emplace_back();
  CHECK(status_of(run) == ExitStatus::done);
  run.prunes.back().failures.emplace_back(ErrorKind::busy, "leased");
  CHECK(status_of(run) == ExitStatus::busy);
  run.hook_failures.emplace_back(ErrorKind::failed, "after hook");
  CHECK(status_of(run) == ExitStatus::failed);
  run.jobs.push_back(failed(ErrorKind::usage));
  run.signal = 15;
  CHECK(status_of(run) == ExitStatus::terminated);
  // What a signal kept from being begun did nothing wrong.
  CHECK(status_of(failed(ErrorKind::interrupted)) == ExitStatus::done);
}

TEST_CASE("run outcome: of a snapshot command a hook that fails is a failure, after those of snapshots") {
  JobOutcome job = taken(true);
  job.hook_failures.emplace_back(ErrorKind::failed, "after hook");
  CHECK(verdict_of({job}).grade == Grade::failed);
  CHECK(verdict_of({job}).kind == ErrorKind::failed);
  CHECK(verdict_of({job, failed(ErrorKind::no_key)}).kind == ErrorKind::no_key);
}
