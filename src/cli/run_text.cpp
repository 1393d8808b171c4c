#include "cli/run_text.hpp"

#include "cli/output.hpp"
#include "cli/push_text.hpp"
#include "cli/snapshot_text.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <string>

#include <fmt/format.h>

namespace cairn {

namespace {

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
  if (outcome.pushes.empty()) return;
  to.key("pushes").begin_array();
  for (const auto& push : outcome.pushes) {
    to.begin_object().member("store", push.store);
    push.result ? write_push_members(to, *push.result) : write_failure(to, *push.failure);
    to.end_object();
  }
  to.end_array();
}

std::string state_text(const SnapshotResult& result) {
  if (result.doubt != Doubt::none) return fmt::format(", IN DOUBT: {}", doubt_name(result.doubt));
  return result.incomplete ? ", INCOMPLETE" : "";
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

void RunPrinter::captured(const SnapshotResult& result) {
  m_session.reporter().clear_progress();
  if (m_dry_run == DryRun::yes) return;
  m_session.note_change(fmt::format("snapshot {} of {} was committed", short_id(result.id), result.series));
}

void RunPrinter::snapshot_ended(const JobOutcome& outcome) {
  if (outcome.failure) m_session.print_error(of_source(*outcome.failure, outcome.source));
  if (outcome.result && !m_session.json()) print_for_people(m_session, *outcome.result, m_dry_run);
}

void RunPrinter::push_ended(const JobOutcome& outcome, const PushOutcome& push) {
  if (push.failure) return m_session.print_error(of_source(*push.failure, outcome.source));
  note_push(m_session, *push.result, push.store);
  if (!m_session.json()) print_push(m_session, *push.result, push.store);
}

void write_outcomes(JsonWriter& to, const std::vector<JobOutcome>& outcomes, DryRun dry_run) {
  if (outcomes.size() == 1) {
    write_result(to, *outcomes.front().result, dry_run);
    write_pushes(to, outcomes.front());
    return;
  }
  to.key("results").begin_array();
  for (const auto& outcome : outcomes) {
    to.begin_object();
    if (outcome.result) {
      write_result(to, *outcome.result, dry_run);
      write_pushes(to, outcome);
    } else {
      to.member("series", outcome.series);
      write_failure(to, *outcome.failure);
    }
    to.end_object();
  }
  to.end_array();
  if (const auto spread = cut_point_spread(outcomes)) to.member("cut_point_spread_ms", milliseconds(*spread));
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
