#include "cli/commands.hpp"
#include "cli/notifying.hpp"
#include "cli/output.hpp"
#include "cli/recovery_upkeep.hpp"
#include "cli/run_report.hpp"
#include "cli/run_text.hpp"
#include "cli/session.hpp"
#include "cli/session_host.hpp"
#include "cli/snapshot_job.hpp"
#include "engine/run/job_runner.hpp"
#include "engine/run/rehearsal.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <chrono>
#include <set>

#include <fmt/format.h>

namespace cairn {

namespace {

class RunCommand : public Command {
 public:
  std::string name() const override { return "run"; }
  std::string summary() const override { return "do all that is configured: snapshot, push, verify, drill and prune"; }
  void declare(OptionSet& options) override {
    options.operands("SOURCE", m_operands, OptionSet::Required::no,
                     "names of configured sources and groups; all by default");
    options.value("--if-older-than", "TIME", m_if_older_than,
                  "leave sources alone whose newest snapshot is younger, as 20h");
    options.flag("--no-wait", m_no_wait, "fail where another run has a source, instead of waiting for it");
    options.flag("--dry-run", m_dry_run, "print what would be done, and change nothing");
  }
  Patience patience() const override { return Patience::job; }
  ExitStatus run(Session& session) override;

 private:
  RunPlan plan(Session& session) const;
  std::optional<Nanoseconds> limit() const;
  ExitStatus rehearse(Session& session, const RunPlan& plan, std::optional<Nanoseconds> limit) const;

  std::vector<std::string> m_operands;
  std::optional<std::string> m_if_older_than;
  bool m_no_wait = false;
  bool m_dry_run = false;
};

RunPlan RunCommand::plan(Session& session) const {
  for (const auto& operand : m_operands) {
    if (!is_path_operand(operand)) continue;
    throw Error(ErrorKind::usage, fmt::format("{} is a path, and a run is of configured sources", quote_given(operand)),
                "cairn snapshot takes a snapshot of a path");
  }
  const Config& config = session.config();
  RunPlan plan = plan_of(config, m_operands.empty() ? config.all_groups() : config.select_groups(m_operands));
  for (auto& group : plan.groups) {
    for (auto& job : group.jobs) {
      job.store = session.store_name(std::nullopt, job.store.empty() ? std::nullopt : std::optional{job.store});
    }
  }
  for (const auto& [name, store] : config.stores) {
    if (store.prune && (m_operands.empty() || plan.uses(name))) plan.prune.push_back(name);
  }
  if (plan.job_count() == 0 && plan.prune.empty()) {
    throw Error(ErrorKind::usage, "nothing to run: no source is configured",
                "cairn.toml(5) says how; cairn snapshot takes a snapshot of a path without any configuration");
  }
  return plan;
}

std::optional<Nanoseconds> RunCommand::limit() const {
  if (!m_if_older_than) return std::nullopt;
  const auto limit = parse_duration(*m_if_older_than);
  if (limit) return limit;
  throw Error(ErrorKind::usage, fmt::format("invalid value {} of --if-older-than", quote_given(*m_if_older_than)),
              "it is a time as 90m, 20h or 7d");
}

// Looks at every store that would be used, by reading alone.
ExitStatus RunCommand::rehearse(Session& session, const RunPlan& plan, std::optional<Nanoseconds> limit) const {
  SessionHost host{session};
  const RunRehearsal rehearsal = cairn::rehearse(host, plan, limit);
  for (const auto& outcome : rehearsal.jobs) {
    if (outcome.failure) session.print_error(*outcome.failure);
    for (const auto& push : outcome.pushes) session.print_error(*push.failure);
  }
  for (const auto& prune : rehearsal.prunes) {
    for (const auto& failure : prune.failures) session.print_error(failure);
  }
  if (session.json()) {
    JsonWriter document = begin_document(name());
    write_rehearsal(document, plan, rehearsal);
    session.print(std::move(document));
  } else {
    print_rehearsal(session, plan, rehearsal);
  }
  return status_of(rehearsal);
}

std::set<std::string> stores_written_to(const RunOutcome& run) {
  std::set<std::string> stores;
  for (const auto& job : run.jobs) {
    if (job.result) stores.insert(job.stores.front());
    for (const auto& push : job.pushes) {
      if (!push.failure) stores.insert(push.store);
    }
  }
  return stores;
}

ExitStatus RunCommand::run(Session& session) {
  const auto limit = this->limit();
  const RunPlan plan = this->plan(session);
  if (m_dry_run) return rehearse(session, plan, limit);
  RunOptions options;
  options.push = true;
  options.verify = true;
  options.drill = true;
  options.lock = m_no_wait ? LockWait::no : LockWait::yes;
  options.if_older_than = limit;

  const auto began = std::chrono::steady_clock::now();
  Notifying notifying{session};
  notifying.begin();
  SessionHost host{session};
  RunPrinter printer{session, DryRun::no};
  JobRunner runner{host, printer, options};
  RunOutcome run;
  try {
    run = runner.execute(plan);
    if (!runner.stopped()) {
      for (const auto& store : stores_written_to(run)) keep_recovery_material(session, store);
    }
  } catch (const Error& e) {
    notifying.end(e);
    throw;
  }
  const auto duration = std::chrono::steady_clock::now() - began;
  // A signal. It is one outcome of several, and does not keep the others from being told.
  if (runner.stopped()) session.print_error(*runner.stopped());
  if (session.json()) {
    JsonWriter document = begin_document(name());
    write_run(document, session.run_id(), plan, run, duration);
    session.print(std::move(document));
  } else {
    print_summary(session, run, duration);
  }
  notifying.end(run, m_operands.empty() ? RunScope::whole : RunScope::part);
  return status_of(run);
}

}  // namespace

std::unique_ptr<Command> make_run_command() {
  return std::make_unique<RunCommand>();
}

}  // namespace cairn
