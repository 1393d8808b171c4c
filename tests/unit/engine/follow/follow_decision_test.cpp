#include "engine/follow/follow_decision.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

constexpr FollowOutcome k_all[] = {FollowOutcome::current,     FollowOutcome::applied,  FollowOutcome::program_failed,
                                   FollowOutcome::untrusted,   FollowOutcome::doubtful, FollowOutcome::store_away,
                                   FollowOutcome::no_snapshot, FollowOutcome::refused,  FollowOutcome::busy,
                                   FollowOutcome::damaged,     FollowOutcome::failed};

}  // namespace

TEST_CASE("follow: what goes on is ended by a mistake of its command line alone") {
  for (const FollowOutcome outcome : k_all) {
    CAPTURE(follow_outcome_name(outcome));
    const bool mistaken = outcome == FollowOutcome::refused || outcome == FollowOutcome::no_snapshot;
    CHECK(decide(FollowMode::on_and_on, {}, outcome).ends == mistaken);
    // Also where the store did not answer the first time.
    CHECK(decide(FollowMode::on_and_on, {false, FollowOutcome::store_away}, outcome).ends == mistaken);
    CHECK_FALSE(decide(FollowMode::on_and_on, {true, std::nullopt}, outcome).ends);
    CHECK_FALSE(decide(FollowMode::on_and_on, {true, FollowOutcome::current}, outcome).ends);
    CHECK(decide(FollowMode::once, {true, std::nullopt}, outcome).ends);
  }
}

TEST_CASE("follow: what is wrong is told once, and when it is over") {
  const auto step = [](std::optional<FollowOutcome> last, FollowOutcome outcome) {
    return decide(FollowMode::on_and_on, {true, last}, outcome);
  };
  for (const FollowOutcome outcome : k_all) {
    CAPTURE(follow_outcome_name(outcome));
    CHECK(step(std::nullopt, outcome).tell != is_up_to_date(outcome));
    CHECK_FALSE(step(outcome, outcome).tell);
    CHECK_FALSE(step(std::nullopt, outcome).recovered);
    CHECK_FALSE(step(outcome, outcome).recovered);
    CHECK(step(outcome, FollowOutcome::current).recovered != is_up_to_date(outcome));
    CHECK(step(outcome, FollowOutcome::applied).recovered != is_up_to_date(outcome));
  }
  CHECK(step(FollowOutcome::store_away, FollowOutcome::damaged).tell);
  CHECK_FALSE(step(FollowOutcome::store_away, FollowOutcome::damaged).recovered);
}

TEST_CASE("follow: failures by what they mean for the standby") {
  const auto of_kind = [](ErrorKind kind) { return outcome_of(Error(kind, "it failed")); };
  CHECK(of_kind(ErrorKind::usage) == FollowOutcome::refused);
  CHECK(of_kind(ErrorKind::damaged) == FollowOutcome::damaged);
  CHECK(of_kind(ErrorKind::not_found) == FollowOutcome::no_snapshot);
  CHECK(of_kind(ErrorKind::busy) == FollowOutcome::busy);
  CHECK(of_kind(ErrorKind::untrusted) == FollowOutcome::untrusted);
  CHECK(of_kind(ErrorKind::failed) == FollowOutcome::failed);
  CHECK(of_kind(ErrorKind::no_key) == FollowOutcome::failed);
  using Transient = StoreError::Transient;
  CHECK(outcome_of(StoreError(ErrorKind::failed, Transient::unreachable, "x")) == FollowOutcome::store_away);
  CHECK(outcome_of(StoreError(ErrorKind::failed, Transient::no, "denied")) == FollowOutcome::store_away);
  CHECK(outcome_of(StoreError(ErrorKind::not_found, Transient::no, "no bucket")) == FollowOutcome::store_away);
  CHECK(outcome_of(StoreError(ErrorKind::damaged, Transient::no, "x")) == FollowOutcome::damaged);
}

TEST_CASE("follow: one look ends with the status of what was found") {
  CHECK(status_of(FollowOutcome::current) == ExitStatus::done);
  CHECK(status_of(FollowOutcome::applied) == ExitStatus::done);
  CHECK(status_of(FollowOutcome::program_failed) == ExitStatus::failed);
  CHECK(status_of(FollowOutcome::untrusted) == ExitStatus::untrusted);
  CHECK(status_of(FollowOutcome::doubtful) == ExitStatus::incomplete);
  CHECK(status_of(FollowOutcome::damaged) == ExitStatus::damaged);
  CHECK(status_of(FollowOutcome::busy) == ExitStatus::busy);
  CHECK(status_of(FollowOutcome::refused) == ExitStatus::usage);
  CHECK(status_of(FollowOutcome::no_snapshot) == ExitStatus::not_found);
  CHECK(status_of(FollowOutcome::store_away) == ExitStatus::failed);
}
