#include "cli/run_text.hpp"

#include "cli/output.hpp"
#include "cli/prune_text.hpp"
#include "cli/push_text.hpp"
#include "cli/snapshot_text.hpp"
#include "engine/drill/driller.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <string>

#include <fmt/format.h>

namespace cairn {

namespace {

// Of what a quiet program prints.
constexpr std::size_t k_unsaid_lines = 100;

std::string state_text(const SnapshotResult& result) {
  if (result.doubt != Doubt::none) return fmt::format(", IN DOUBT: {}", doubt_name(result.doubt));
  return result.incomplete ? ", INCOMPLETE" : "";
}

std::string verified_text(const VerifyResult& found, VerifyLevel level) {
  std::string text = fmt::format("{}, {} seen", verify_level_name(level), counted(found.packs, "pack", "packs"));
  if (level != VerifyLevel::quick) {
    text += fmt::format(", {} of {} read", format_size(found.bytes_read), counted(found.packs_read, "pack", "packs"));
  }
  // Their bytes were hashed, their content was not decoded.
  if (found.packs_closed != 0) text += fmt::format(" ({} without a key)", found.packs_closed);
  return text;
}

void print_for_people(Session& session, const SnapshotResult& result, DryRun dry_run) {
  const SnapshotStats& stats = result.stats;
  session.say(dry_run == DryRun::yes
                  ? fmt::format("would take a snapshot of {}", result.series)
                  : fmt::format("took snapshot {} of {}, cut at {}{}", short_id(result.id), result.series,
                                format_time_short(result.cut_point), state_text(result)));
  session.say(fmt::format("  {}, {}; new {}, {} {}; {}", counted(stats.files, "file", "files"),
                          format_size(stats.bytes), format_size(stats.new_bytes),
                          dry_run == DryRun::yes ? "to be stored as" : "stored as", format_size(stats.stored_bytes),
                          format_duration(result.duration)));
}

// Names the source that it is about, where there are several.
Error of_source(const Error& error, const std::string& source) {
  if (source.empty()) return error;
  return {error.kind(), fmt::format("source {}: {}", quote(source), error.message()), error.hint()};
}

}  // namespace

void write_result(JsonWriter& to, const SnapshotResult& result, DryRun dry_run) {
  const SnapshotStats& stats = result.stats;
  to.key("id");
  dry_run == DryRun::yes ? to.null() : to.value(result.id.hex());
  to.member("series", result.series).member("cut_point", format_time(result.cut_point));
  to.member("files", stats.files).member("bytes", stats.bytes).member("new_bytes", stats.new_bytes);
  to.member("stored_bytes", stats.stored_bytes).member("packs_written", stats.packs_written);
  to.member("duration_ms", milliseconds(result.duration)).member("dry_run", dry_run == DryRun::yes);
  to.key("content").raw("{" + result.content_facts + "}");
  to.member("incomplete", result.incomplete);
  write_doubt(to, result.doubt);
  to.key("errors").begin_array();
  for (const auto& problem : result.problems) {
    to.begin_object();
    text_member(to, "path", problem.path);
    to.member("message", terminal_safe(problem.message)).end_object();
  }
  to.end_array();
}

void write_failure(JsonWriter& to, const Error& failure) {
  to.key("error").begin_object();
  write_error_members(to, failure);
  to.end_object();
}

void write_pushes(JsonWriter& to, const JobOutcome& outcome) {
  to.key("pushes").begin_array();
  for (const auto& push : outcome.pushes) {
    to.begin_object().member("store", push.store);
    push.result ? write_push_members(to, *push.result) : write_failure(to, *push.failure);
    to.end_object();
  }
  to.end_array();
}

void RunPrinter::captured(const SnapshotResult& result) {
  m_session.reporter().clear_progress();
  if (m_dry_run == DryRun::yes) return;
  m_session.note_change(fmt::format("snapshot {} of {} was committed", short_id(result.id), result.series));
}

void RunPrinter::snapshot_ended(const JobOutcome& outcome) {
  // A failure that keeps one from being begun names the source itself.
  if (outcome.failure)
    m_session.print_error(outcome.begun ? of_source(*outcome.failure, outcome.source) : *outcome.failure);
  if (outcome.result) print_for_people(m_session, *outcome.result, m_dry_run);
}

void RunPrinter::push_ended(const JobOutcome& outcome, const PushOutcome& push) {
  if (push.failure) return m_session.print_error(of_source(*push.failure, outcome.source));
  note_push(m_session, *push.result, push.store);
  if (!m_session.json()) print_push(m_session, *push.result, push.store);
}

void RunPrinter::verify_ended(const JobOutcome& outcome, const VerifyOutcome& verification) {
  if (verification.failure) return m_session.print_error(of_source(*verification.failure, outcome.source));
  const VerifyResult& found = *verification.result;
  m_session.reporter().clear_progress();
  if (found.problems.empty()) {
    return m_session.say(fmt::format("verified snapshot {} in {}: {}", short_id(outcome.result->id), verification.store,
                                     verified_text(found, verification.level)));
  }
  for (const auto& problem : found.problems) m_session.reporter().warning(problem.message);
  m_session.print_error(
      of_source(Error(ErrorKind::damaged,
                      fmt::format("damage found: {} in store {}", counted(found.problems.size(), "problem", "problems"),
                                  quote(verification.store)),
                      "cairn verify says which snapshots need what is damaged, and can repair it from another store"),
                outcome.source));
}

void RunPrinter::drill_ended(const JobOutcome& outcome) {
  m_session.reporter().clear_progress();
  if (outcome.drill->failure) return m_session.print_error(of_source(*outcome.drill->failure, outcome.source));
  const DrillRecord& record = *outcome.drill->record;
  if (record.outcome == DrillOutcome::passed) {
    const std::string told = told_text(record, DrillCheck::Result::told);
    return m_session.say(fmt::format("drilled snapshot {}: restored in {}{}", short_id(record.id),
                                     format_duration(record.recovery), told.empty() ? "" : "; told: " + told));
  }
  m_session.print_error(of_source(Error(ErrorKind::damaged,
                                        fmt::format("drill of snapshot {} failed: {}", short_id(record.id),
                                                    told_text(record, DrillCheck::Result::failed)),
                                        "cairn drill --json says all that it found"),
                                  outcome.source));
}

void RunPrinter::left_alone(const JobOutcome& outcome) {
  m_session.say(fmt::format("left {} alone: {}", outcome.name, recent_text(*outcome.left_alone)));
}

void RunPrinter::waiting(const JobOutcome& outcome, std::optional<pid_t> holder) {
  m_session.reporter().note(fmt::format("waiting for another run of source {}{}", quote(outcome.name),
                                        holder ? fmt::format(" (process {})", *holder) : std::string{}));
}

void RunPrinter::print_hook_line(const HookCall& call, std::string_view line) {
  const std::string& owner = call.owner.name;
  m_session.reporter().pass_on(
      owner.empty() ? hook_moment_name(call.moment) : fmt::format("{} {}", hook_moment_name(call.moment), owner), line);
}

void RunPrinter::hook_said(const HookCall& call, std::string_view line) {
  if (!m_session.quiet()) return print_hook_line(call, line);
  if (m_unsaid.size() == k_unsaid_lines) m_unsaid.pop_front();
  m_unsaid.emplace_back(line);
}

void RunPrinter::hook_ended(const HookCall& call, const std::optional<Error>& failure) {
  if (failure) {
    for (const auto& line : m_unsaid) print_hook_line(call, line);
  }
  m_unsaid.clear();
}

void RunPrinter::failed(const Error& failure) {
  m_session.print_error(failure);
}

void RunPrinter::prune_ended(const PruneOutcome& prune) {
  m_session.reporter().clear_progress();
  for (const auto& failure : prune.failures) {
    m_session.print_error(Error(failure.kind(),
                                fmt::format("unable to prune store {}: {}", quote(prune.store), failure.message()),
                                failure.hint()));
  }
  if (!prune.left.empty()) {
    m_session.reporter().warning(fmt::format("store {} is not pruned: {}", quote(prune.store), prune.left));
  }
  if (!prune.result) return;
  const std::string done = fmt::format("pruned {}: {}", prune.store, outcome_text(*prune.result));
  m_session.note_change(done);
  m_session.say(done);
}

void write_hook_failures(JsonWriter& to, const std::vector<Error>& failures) {
  to.key("hook_failures").begin_array();
  for (const auto& failure : failures) {
    to.begin_object();
    write_error_members(to, failure);
    to.end_object();
  }
  to.end_array();
}

namespace {

void write_taken(JsonWriter& to, const JobOutcome& outcome, DryRun dry_run) {
  write_result(to, *outcome.result, dry_run);
  if (!outcome.pushes.empty()) write_pushes(to, outcome);
}

void write_hook_failures_if_any(JsonWriter& to, const std::vector<Error>& failures) {
  if (!failures.empty()) write_hook_failures(to, failures);
}

}  // namespace

void write_outcomes(JsonWriter& to, const RunOutcome& run, DryRun dry_run) {
  const auto& outcomes = run.jobs;
  if (outcomes.size() == 1) {
    auto failures = outcomes.front().hook_failures;
    failures.insert(failures.end(), run.hook_failures.begin(), run.hook_failures.end());
    write_taken(to, outcomes.front(), dry_run);
    write_hook_failures_if_any(to, failures);
    return;
  }
  to.key("results").begin_array();
  for (const auto& outcome : outcomes) {
    to.begin_object();
    if (outcome.result) {
      write_taken(to, outcome, dry_run);
    } else {
      to.member("series", outcome.series);
      write_failure(to, *outcome.failure);
    }
    write_hook_failures_if_any(to, outcome.hook_failures);
    to.end_object();
  }
  to.end_array();
  write_hook_failures_if_any(to, run.hook_failures);
  if (const auto spread = cut_point_spread(outcomes)) to.member("cut_point_spread_ms", milliseconds(*spread));
}

std::string recent_text(const RecentSnapshot& recent) {
  return fmt::format("snapshot {} is {} old", short_id(recent.id), format_duration(recent.age));
}

void print_spread(Session& session, const std::vector<JobOutcome>& outcomes) {
  if (const auto spread = cut_point_spread(outcomes)) {
    session.say(fmt::format("cut points lie {} apart", format_duration(*spread)));
  }
}

ExitStatus exit_status_of(const RunVerdict& verdict) noexcept {
  switch (verdict.grade) {
    case RunVerdict::Grade::done:
      return ExitStatus::done;
    case RunVerdict::Grade::incomplete:
      return ExitStatus::incomplete;
    case RunVerdict::Grade::not_pushed:
      return ExitStatus::not_pushed;
    case RunVerdict::Grade::failed:
      break;
  }
  return ExitStatus{exit_status_of(verdict.kind, 0)};
}

}  // namespace cairn
