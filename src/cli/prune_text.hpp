// The output of prune and forget: the plan with a reason for every decision, and what was done.
#pragma once

#include "cli/session.hpp"
#include "engine/prune/pruner.hpp"

namespace cairn {

// Which snapshots a plan's text speaks of.
enum class PlanDetail {
  all,      // prune: every snapshot and why it is kept or removed
  removed,  // forget: those that go
};

// "removed 1 manifest, marked 2 packs, deleted 0 packs (0 B)".
std::string outcome_text(const PruneResult& result);
void print_plan(Session& session, const PrunePlan& plan, PlanDetail detail);
// How much is removed, marked and kept: the end of the plan.
void print_amounts(Session& session, const PrunePlan& plan);
// The members of a plan's amounts, and "result": {...}.
void write_amounts(JsonWriter& to, const PrunePlan& plan);
void write_prune_result(JsonWriter& to, const PruneResult& result);
// result: nothing where the plan was not carried out (and is said to have changed nothing).
void print_outcome(Session& session, const PrunePlan& plan, const std::optional<PruneResult>& result);
// Both as one document.
void print_json(Session& session, std::string_view command, const PrunePlan& plan,
                const std::optional<PruneResult>& result);

// Prints plan and outcome; carries the plan out between the two if it is to be applied. Throws the first of the plan's
// stops, after the plan was printed.
void run_prune(Session& session, std::string_view command, Pruner& pruner, Apply apply, PlanDetail detail);

}  // namespace cairn
