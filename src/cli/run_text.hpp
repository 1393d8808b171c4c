// The output about a run's outcomes, printed by every command that starts one.
#pragma once

#include "cli/session.hpp"
#include "engine/run/hooks.hpp"
#include "engine/run/outcome.hpp"
#include "engine/run/run_host.hpp"
#include "util/exit_status.hpp"

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// Prints for people as it happens, and failures as errors; with --json failures only. The session outlives it.
class RunPrinter : public RunListener {
 public:
  RunPrinter(Session& session, DryRun dry_run) : m_session(session), m_dry_run(dry_run) {}
  void job_begun(const JobOutcome& outcome) override { m_session.reporter().set_source(outcome.name); }
  void job_ended(const JobOutcome&) override { m_session.reporter().set_source({}); }
  void captured(const SnapshotResult& result) override;
  void snapshot_ended(const JobOutcome& outcome) override;
  void push_ended(const JobOutcome& outcome, const PushOutcome& push) override;
  void verify_ended(const JobOutcome& outcome, const VerifyOutcome& verification) override;
  void drill_ended(const JobOutcome& outcome) override;
  void left_alone(const JobOutcome& outcome) override;
  void waiting(const JobOutcome& outcome, std::optional<pid_t> holder) override;
  // With --quiet what a program prints is kept until it has failed.
  void hook_said(const HookCall& call, std::string_view line) override;
  void hook_ended(const HookCall& call, const std::optional<Error>& failure) override;
  void failed(const Error& failure) override;
  void prune_ended(const PruneOutcome& prune) override;

 private:
  void print_hook_line(const HookCall& call, std::string_view line);

  Session& m_session;
  DryRun m_dry_run;
  std::deque<std::string> m_unsaid;
};

// Members of the document: those of the one result, which there is then, or "results" of several.
void write_outcomes(JsonWriter& to, const RunOutcome& run, DryRun dry_run);
// The members of a snapshot's result, without braces.
void write_result(JsonWriter& to, const SnapshotResult& result, DryRun dry_run);
// "error": {...}.
void write_failure(JsonWriter& to, const Error& failure);
// "pushes": [...], of all stores that there are.
void write_pushes(JsonWriter& to, const JobOutcome& outcome);
// "hook_failures": [...].
void write_hook_failures(JsonWriter& to, const std::vector<Error>& failures);
// "snapshot 0123456789ab is 5 m old".
std::string recent_text(const RecentSnapshot& recent);
// "cut points lie 3 s apart", where there are several.
void print_spread(Session& session, const std::vector<JobOutcome>& outcomes);

// A failure, then what is not where it should be, then what is incomplete.
ExitStatus exit_status_of(const RunVerdict& verdict) noexcept;

}  // namespace cairn
