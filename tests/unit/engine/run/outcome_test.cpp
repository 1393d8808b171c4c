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
