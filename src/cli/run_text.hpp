// The output about a run's outcomes, printed by every command that starts one.
#pragma once

#include "cli/exit_status.hpp"
#include "cli/session.hpp"
#include "engine/run/outcome.hpp"
#include "engine/run/run_host.hpp"

#include <vector>

namespace cairn {

// Prints for people as it happens, and failures as errors; with --json failures only. The session outlives it.
class RunPrinter : public RunListener {
 public:
  RunPrinter(Session& session, DryRun dry_run) : m_session(session), m_dry_run(dry_run) {}
  void captured(const SnapshotResult& result) override;
  void snapshot_ended(const JobOutcome& outcome) override;
  void push_ended(const JobOutcome& outcome, const PushOutcome& push) override;

 private:
  Session& m_session;
  DryRun m_dry_run;
};

// Members of the document: those of the one result, which there is then, or "results" of several.
void write_outcomes(JsonWriter& to, const std::vector<JobOutcome>& outcomes, DryRun dry_run);
// "cut points lie 3 s apart", where there are several.
void print_spread(Session& session, const std::vector<JobOutcome>& outcomes);

// A failure, then what is not where it should be, then what is incomplete.
ExitStatus exit_status_of(const RunVerdict& verdict) noexcept;

}  // namespace cairn
