#include "cli/run_report.hpp"

#include "cli/output.hpp"
#include "cli/prune_text.hpp"
#include "cli/push_text.hpp"
#include "cli/run_text.hpp"
#include "engine/drill/driller.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn {

namespace {

// "done", "not_pushed", ..., "left_alone", or "not_begun" where a signal came first.
std::string job_outcome_name(const JobOutcome& outcome) {
  if (outcome.left_alone) return "left_alone";
  const ExitStatus status = status_of(outcome);
  // One that a program before it has failed is a failure like others.
  return !outcome.begun && status == ExitStatus::done ? "not_begun" : outcome_name(status);
}

std::string state_text(const JobOutcome& outcome) {
  std::string name = job_outcome_name(outcome);
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

// The stores of a job's parts, and which of them failed.
template <class Parts>
std::string stores_text(const Parts& parts) {
  std::string out;
  for (const auto& part : parts) {
    if (!out.empty()) out += ", ";
    out += part.store;
    if (status_of(part) != ExitStatus::done) out += " FAILED";
  }
  return out;
}

const SnapshotJob& job_at(const RunPlan& plan, std::size_t index) {
  for (const auto& group : plan.groups) {
    if (index < group.jobs.size()) return group.jobs[index];
    index -= group.jobs.size();
  }
  throw Error(ErrorKind::failed, "a run has more outcomes than jobs");
}

void write_status(JsonWriter& to, ExitStatus status) {
  to.member("outcome", outcome_name(status)).member("exit_status", to_int(status));
}

void write_recent(JsonWriter& to, const std::optional<RecentSnapshot>& recent) {
  to.key("left_alone");
  if (!recent) {
    to.null();
    return;
  }
  to.begin_object().member("id", recent->id.hex()).member("cut_point", format_time(recent->cut_point));
  to.member("age_seconds", std::chrono::duration_cast<std::chrono::seconds>(recent->age).count()).end_object();
}

void write_names(JsonWriter& to, const char* key, const std::vector<std::string>& names) {
  to.key(key).begin_array();
  for (const auto& name : names) to.value(name);
  to.end_array();
}

void write_job(JsonWriter& to, const SnapshotJob& job, const JobOutcome& outcome) {
  to.member("source", outcome.name).key("group");
  outcome.group.empty() ? to.null() : to.value(outcome.group);
  to.member("series", outcome.series).member("store", job.store);
  write_recent(to, outcome.left_alone);
}

void write_error_or_null(JsonWriter& to, const std::optional<Error>& failure) {
  if (failure) return write_failure(to, *failure);
  to.key("error").null();
}

void write_verification(JsonWriter& to, const VerifyOutcome& verification) {
  to.begin_object().member("store", verification.store).member("level", verify_level_name(verification.level));
  write_status(to, status_of(verification));
  if (verification.result) {
    const VerifyResult& found = *verification.result;
    to.member("packs", found.packs).member("packs_read", found.packs_read).member("bytes_read", found.bytes_read);
    to.member("duration_ms", milliseconds(found.duration)).key("problems").begin_array();
    for (const auto& problem : found.problems) {
      to.begin_object().member("object", terminal_safe(problem.object));
      to.member("message", terminal_safe(problem.message)).end_object();
    }
    to.end_array();
  }
  write_error_or_null(to, verification.failure);
  to.end_object();
}

void write_prune(JsonWriter& to, const PruneOutcome& prune) {
  to.begin_object().member("store", prune.store).member("applied", prune.result.has_value());
  write_status(to, status_of(prune));
  to.key("left");
  prune.left.empty() ? to.null() : to.value(prune.left);
  if (prune.plan) {
    to.member("remove_manifests", prune.plan->removed_manifests.size());
    write_amounts(to, *prune.plan);
  }
  if (prune.result) write_prune_result(to, *prune.result);
  write_error_or_null(to, prune.failures.empty() ? std::nullopt : std::optional{prune.failures.front()});
  to.end_object();
}

void write_prunes(JsonWriter& to, const std::vector<PruneOutcome>& prunes) {
  to.key("prunes").begin_array();
  for (const auto& prune : prunes) write_prune(to, prune);
  to.end_array();
}

std::string sum_text(const RunOutcome& run) {
  std::map<std::string, std::size_t> counts;
  for (const auto& outcome : run.jobs) ++counts[state_text(outcome)];
  std::string out = counted(run.jobs.size(), "source", "sources");
  const char* separator = ": ";
  for (const auto& [state, count] : counts) {
    out += fmt::format("{}{} {}", separator, count, state);
    separator = ", ";
  }
  return out;
}

// Their arguments may hold what is nobody else's business.
void print_programs(Session& session, const char* whose, const Hooks& hooks) {
  for (const HookMoment moment : {HookMoment::before, HookMoment::after, HookMoment::failed, HookMoment::finally}) {
    for (const auto& argv : hooks.of(moment)) {
      session.say(fmt::format("  {}{} hook: {}", whose, hook_moment_name(moment), argv.front()));
    }
  }
}

std::string drill_text(const JobOutcome& outcome) {
  if (!outcome.drill) return {};
  if (!outcome.drill->record) return "none";
  const DrillRecord& record = *outcome.drill->record;
  return record.outcome == DrillOutcome::passed ? format_duration(record.recovery) : "FAILED";
}

// Of a rehearsal of the run: whether one would be due.
void write_drill(JsonWriter& to, const JobOutcome& outcome) {
  to.key("drill");
  if (!outcome.drill) {
    to.null();
    return;
  }
  to.begin_object();
  write_status(to, status_of(*outcome.drill));
  if (const auto& record = outcome.drill->record) {
    to.member("passed", record->outcome == DrillOutcome::passed);
    to.member("recovery_ms", milliseconds(record->recovery));
    to.member("failed", told_text(*record, DrillCheck::Result::failed));
    to.member("told", told_text(*record, DrillCheck::Result::told));
  }
  write_error_or_null(to, outcome.drill->failure);
  to.end_object();
}

}  // namespace

void print_summary(Session& session, const RunOutcome& run, std::chrono::nanoseconds duration) {
  session.reporter().clear_progress();
  Table table{
      {{"SOURCE"}, {"GROUP"}, {"OUTCOME"}, {"SNAPSHOT"}, {"CUT POINT"}, {"PUSHED TO"}, {"VERIFIED IN"}, {"DRILL"}}};
  for (const auto& outcome : run.jobs) {
    table.add({outcome.name, outcome.group, state_text(outcome), outcome.result ? short_id(outcome.result->id) : "",
               outcome.result ? format_time_short(outcome.result->cut_point) : "", stores_text(outcome.pushes),
               stores_text(outcome.verifications), drill_text(outcome)});
  }
  if (!table.empty()) {
    std::ostringstream text;
    table.print(text);
    session.say_lines("\n" + text.str());
  }
  session.say(fmt::format("{}; {}", sum_text(run), format_duration(duration)));
}

void print_rehearsal(Session& session, const RunPlan& plan, const RunRehearsal& rehearsal) {
  print_programs(session, "the run's ", plan.hooks);
  std::size_t index = 0;
  for (const auto& group : plan.groups) {
    if (!group.name.empty()) {
      session.say(fmt::format("group {}", group.name));
      print_programs(session, "its ", group.hooks);
    }
    for (const auto& job : group.jobs) {
      const JobOutcome& found = rehearsal.jobs[index++];
      if (found.left_alone) {
        session.say(fmt::format("would leave {} alone: {}", job.name, recent_text(*found.left_alone)));
        continue;
      }
      session.say(fmt::format("would take a snapshot of {} into {}, series {}", job.name, job.store, job.series));
      print_programs(session, "", job.hooks);
      for (const auto& store : job.push_to) session.say(fmt::format("  push it to {}", store));
      if (job.verify) {
        session.say(
            fmt::format("  verify it in {} ({})", fmt::join(stores_of(job), ", "), verify_level_name(*job.verify)));
      }
      if (found.drill) session.say(fmt::format("  rehearse its restore from {}", job.store));
    }
  }
  for (const auto& prune : rehearsal.prunes) {
    if (!prune.plan) continue;
    session.say(fmt::format("would prune {}; as it is now:", prune.store));
    if (!session.quiet()) print_amounts(session, *prune.plan);
  }
  session.say("nothing was changed");
}

void write_run(JsonWriter& to, const std::string& run_id, const RunPlan& plan, const RunOutcome& run,
               std::chrono::nanoseconds duration) {
  to.member("dry_run", false).member("run_id", run_id);
  write_status(to, status_of(run));
  to.member("duration_ms", milliseconds(duration)).key("sources").begin_array();
  for (std::size_t i = 0; i < run.jobs.size(); ++i) {
    const JobOutcome& outcome = run.jobs[i];
    to.begin_object();
    write_job(to, job_at(plan, i), outcome);
    to.member("outcome", job_outcome_name(outcome)).member("exit_status", to_int(status_of(outcome)));
    to.key("snapshot");
    if (outcome.result) {
      to.begin_object();
      write_result(to, *outcome.result, DryRun::no);
      to.end_object();
    } else {
      to.null();
    }
    write_pushes(to, outcome);
    to.key("verifications").begin_array();
    for (const auto& verification : outcome.verifications) write_verification(to, verification);
    to.end_array();
    write_drill(to, outcome);
    write_hook_failures(to, outcome.hook_failures);
    write_error_or_null(to, outcome.failure);
    to.end_object();
  }
  to.end_array();
  write_prunes(to, run.prunes);
  write_hook_failures(to, run.hook_failures);
}

void write_rehearsal(JsonWriter& to, const RunPlan& plan, const RunRehearsal& rehearsal) {
  to.member("dry_run", true);
  write_status(to, status_of(rehearsal));
  to.key("sources").begin_array();
  for (std::size_t i = 0; i < rehearsal.jobs.size(); ++i) {
    const SnapshotJob& job = job_at(plan, i);
    to.begin_object();
    write_job(to, job, rehearsal.jobs[i]);
    write_names(to, "push_to", job.push_to);
    to.key("verify");
    job.verify ? to.value(verify_level_name(*job.verify)) : to.null();
    to.member("drill", rehearsal.jobs[i].drill.has_value());
    write_pushes(to, rehearsal.jobs[i]);
    write_error_or_null(to, rehearsal.jobs[i].failure);
    to.end_object();
  }
  to.end_array();
  write_prunes(to, rehearsal.prunes);
}

}  // namespace cairn
