#include "engine/run/run_plan.hpp"

#include <chrono>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

using Names = std::vector<std::string>;

SnapshotJob job(const std::string& name, const std::string& store, const Names& push_to = {}) {
  SnapshotJob out;
  out.name = out.series = name;
  out.store = store;
  out.push_to = push_to;
  return out;
}

SeriesStatus status_at_age(Nanoseconds age) {
  SeriesStatus out;
  out.newest.emplace();
  out.age = age;
  return out;
}

}  // namespace

TEST_CASE("run plan: a snapshot's stores are named once, the one it is captured into first") {
  CHECK(stores_of(job("a", "main")) == Names{"main"});
  CHECK(stores_of(job("a", "main", {"b", "a", "main"})) == Names{"main", "b", "a"});
}

TEST_CASE("run plan: outcomes are those of the jobs in order, and name their source where there are several") {
  RunPlan plan = plan_of({job("a", "main", {"away"}), job("b", "main")});
  plan.groups.push_back({"g", {}, {job("c", "third")}});
  const auto outcomes = outcomes_of(plan);
  REQUIRE(outcomes.size() == 3);
  CHECK(outcomes[0].stores == Names{"main", "away"});
  CHECK(outcomes[1].source == "b");
  CHECK(outcomes[1].group.empty());
  CHECK(outcomes[2].name == "c");
  CHECK(outcomes[2].group == "g");
  CHECK(outcomes_of(plan_of({job("a", "main")})).at(0).source.empty());
  CHECK(plan.uses("away"));
  CHECK(plan.uses("third"));
  CHECK_FALSE(plan.uses("fourth"));
}

TEST_CASE("run plan: a program before a group or a job may prepare a store, one before the run does not count") {
  RunPlan plan = plan_of({job("a", "main")});
  CHECK_FALSE(plan.prepares_inside());
  plan.hooks.before = {{"true"}};
  plan.groups[0].jobs[0].hooks.after = {{"true"}};
  CHECK_FALSE(plan.prepares_inside());
  plan.groups[0].jobs[0].hooks.before = {{"true"}};
  CHECK(plan.prepares_inside());
  plan = plan_of({job("a", "main")});
  plan.groups[0].hooks.before = {{"true"}};
  CHECK(plan.prepares_inside());
}

TEST_CASE("run plan: what was left alone as a whole is not pruned, what nothing goes to is") {
  RunPlan plan = plan_of({job("a", "main", {"away"}), job("b", "main")});
  plan.prune = {"away", "main", "others"};
  auto outcomes = outcomes_of(plan);
  CHECK(stores_to_prune(plan, outcomes) == plan.prune);
  outcomes[0].left_alone.emplace();
  CHECK(stores_to_prune(plan, outcomes) == Names{"main", "others"});
  outcomes[1].left_alone.emplace();
  CHECK(stores_to_prune(plan, outcomes) == Names{"others"});
  // A source that failed does not keep its store from being pruned: it may have failed for want of space.
  outcomes[1].left_alone.reset();
  outcomes[1].failure = Error(ErrorKind::failed, "disk full");
  CHECK(stores_to_prune(plan, outcomes) == Names{"main", "others"});
}

TEST_CASE("run plan: a store that was found damaged is left as it is, another is not") {
  auto outcomes = outcomes_of(plan_of({job("a", "main", {"away"})}));
  CHECK_FALSE(reason_not_to_prune("main", outcomes));
  VerifyOutcome found;
  found.store = "away";
  found.result.emplace();
  outcomes[0].verifications.push_back(found);
  CHECK_FALSE(reason_not_to_prune("away", outcomes));
  outcomes[0].verifications.back().result->problems.emplace_back();
  CHECK(reason_not_to_prune("away", outcomes));
  CHECK_FALSE(reason_not_to_prune("main", outcomes));
  // One that could not be looked at is for the prune to fail at.
  outcomes[0].verifications.back().result.reset();
  outcomes[0].verifications.back().failure = Error(ErrorKind::failed, "unreachable");
  CHECK_FALSE(reason_not_to_prune("away", outcomes));
}

TEST_CASE("run plan: recent is what is younger than the limit, and can be relied on") {
  CHECK(recent_snapshot(status_at_age(59min), 1h)->age == 59min);
  CHECK_FALSE(recent_snapshot(status_at_age(60min), 1h));
  CHECK_FALSE(recent_snapshot(status_at_age(61min), 1h));
  CHECK_FALSE(recent_snapshot(SeriesStatus{}, 1h));
}
