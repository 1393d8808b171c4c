#include "cli/prune_text.hpp"

#include "cli/output.hpp"
#include "util/units.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

std::string reasons_text(const RetentionDecision& decision) {
  std::string out;
  for (const auto& reason : decision.reasons) out += (out.empty() ? "" : ", ") + reason;
  return out.empty() ? "not asked about" : out;
}

std::string amount_text(const PrunePlan::Amount& amount) {
  return fmt::format("{}, {}", counted(amount.packs, "pack", "packs"), format_size(amount.bytes));
}

void write_amount(JsonWriter& to, const char* name, const PrunePlan::Amount& amount) {
  to.key(name).begin_object().member("packs", amount.packs).member("bytes", amount.bytes).end_object();
}

}  // namespace

void print_plan(Session& session, const PrunePlan& plan, PlanDetail detail) {
  Table table{{{"SERIES"}, {"ID"}, {"CUT POINT"}, {"DECISION"}, {"REASON"}}};
  for (const auto& series : plan.series) {
    for (const auto& snapshot : series.snapshots) {
      const bool keep = snapshot.decision.verdict == Verdict::keep;
      if (keep && detail == PlanDetail::removed) continue;
      table.add({series.name, short_id(snapshot.id), format_time_short(snapshot.cut_point), keep ? "keep" : "remove",
                 reasons_text(snapshot.decision)});
    }
  }
  if (!table.empty()) {
    table.print(session.out());
    session.out() << '\n';
  }
  print_amounts(session, plan);
}

void print_amounts(Session& session, const PrunePlan& plan) {
  FieldList fields;
  fields.add("remove", counted(plan.removed_manifests.size(), "manifest", "manifests"));
  for (const auto& key : plan.lost_manifests) fields.add("give up", key);
  for (const auto& key : plan.notes_given_up) fields.add("give up", key);
  fields.add("delete now", amount_text(plan.freed_now));
  fields.add("mark", fmt::format("{}, deleted after the grace", amount_text(plan.marked_now)));
  if (plan.waiting.packs > 0) fields.add("wait", fmt::format("{}, marked before", amount_text(plan.waiting)));
  if (plan.young.packs > 0) fields.add("too young", fmt::format("{}, left alone", amount_text(plan.young)));
  fields.add("keep", amount_text(plan.kept));
  fields.print(session.out());
}

std::string outcome_text(const PruneResult& result) {
  return fmt::format("removed {}, marked {}, deleted {} ({})",
                     counted(result.manifests_removed, "manifest", "manifests"),
                     counted(result.packs_marked, "pack", "packs"), counted(result.packs_deleted, "pack", "packs"),
                     format_size(result.bytes_deleted));
}

void print_outcome(Session& session, const PrunePlan& plan, const std::optional<PruneResult>& result) {
  if (result) return session.say(outcome_text(*result));
  session.out() << (plan.empty() ? "nothing to do\n" : "nothing was changed; use --apply\n");
}

void write_amounts(JsonWriter& to, const PrunePlan& plan) {
  write_amount(to, "delete", plan.freed_now);
  write_amount(to, "mark", plan.marked_now);
  write_amount(to, "waiting", plan.waiting);
  write_amount(to, "young", plan.young);
  write_amount(to, "kept", plan.kept);
}

void write_prune_result(JsonWriter& to, const PruneResult& result) {
  to.key("result").begin_object().member("manifests_removed", result.manifests_removed);
  to.member("packs_marked", result.packs_marked).member("packs_deleted", result.packs_deleted);
  to.member("bytes_deleted", result.bytes_deleted).end_object();
}

void print_json(Session& session, std::string_view command, const PrunePlan& plan,
                const std::optional<PruneResult>& result) {
  JsonWriter to = begin_document(command);
  to.member("applied", result.has_value()).key("series").begin_array();
  for (const auto& series : plan.series) {
    to.begin_object().member("series", series.name).key("snapshots").begin_array();
    for (const auto& snapshot : series.snapshots) {
      to.begin_object().member("id", snapshot.id.hex()).member("cut_point", format_time(snapshot.cut_point));
      to.member("pinned", snapshot.pinned).member("keep", snapshot.decision.verdict == Verdict::keep);
      to.key("reasons").begin_array();
      for (const auto& reason : snapshot.decision.reasons) to.value(reason);
      to.end_array().end_object();
    }
    to.end_array().end_object();
  }
  to.end_array();
  to.key("removed_manifests").begin_array();
  for (const auto& key : plan.removed_manifests) to.value(terminal_safe(key));
  to.end_array();
  write_amounts(to, plan);
  if (result) write_prune_result(to, *result);
  session.print(std::move(to));
}

void run_prune(Session& session, std::string_view command, Pruner& pruner, Apply apply, PlanDetail detail) {
  const PrunePlan& plan = pruner.plan();
  session.reporter().clear_progress();
  const bool for_people = !session.json();
  if (for_people && !session.quiet()) print_plan(session, plan, detail);
  for (std::size_t i = 1; i < plan.stops.size(); ++i) session.print_error(plan.stops[i]);
  if (!plan.stops.empty()) throw plan.stops.front();
  std::optional<PruneResult> result;
  if (apply == Apply::yes) {
    result = pruner.execute();
    session.note_change(outcome_text(*result));
  }
  for_people ? print_outcome(session, plan, result) : print_json(session, command, plan, result);
}

}  // namespace cairn
