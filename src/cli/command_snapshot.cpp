#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/run_text.hpp"
#include "cli/session.hpp"
#include "cli/session_host.hpp"
#include "cli/snapshot_job.hpp"
#include "cli/snapshot_text.hpp"
#include "engine/choose/reference.hpp"
#include "engine/run/job_runner.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn {

namespace {

class SnapshotCommand : public Command {
 public:
  std::string name() const override { return "snapshot"; }
  std::string summary() const override {
    return "take a snapshot of configured sources, a path, or a command's output";
  }
  void declare(OptionSet& options) override {
    options.operands("SOURCE", m_operands, OptionSet::Required::no,
                     "names of configured sources and groups, or one path (with a '/' or a leading '.')");
    declare_store(options, m_store);
    options.value("--series", "NAME", m_series, "the series of the snapshot; of a path by default its last component");
    options.values("--tag", "KEY=VALUE", m_tags, "note this with the snapshot");
    options.values("--exclude", "PATTERN", m_exclude, "leave out what matches, as in a .gitignore");
    options.flag("--one-file-system", m_one_file_system, "do not go into other file systems");
    options.flag("--reread", m_reread, "read every file, also what seems unchanged");
    options.flag("--assume-local", m_assume_local,
                 "take a database on a file system whose locks may not be seen by all");
    options.flag("--allow-empty", m_allow_empty, "what is empty now, and was not before, is right");
    options.value("--max-drop", "PERCENT", m_max_drop, "fail if it is smaller than the one before by more, as 50%");
    options.flag("--dry-run", m_dry_run, "read and compare, store nothing");
    options.flag("--push", m_push, "then push to the stores that the configuration names");
  }
  std::vector<std::string>* trailing_command() override { return &m_command; }
  Patience patience() const override { return Patience::job; }
  ExitStatus run(Session& session) override;

 private:
  RunPlan plan(Session& session) const;
  RunPlan configured_plan(Session& session) const;
  SnapshotJob path_job() const;
  SnapshotJob command_job() const;
  std::optional<double> max_drop() const;
  void apply_options(SnapshotJob& job) const;

  std::vector<std::string> m_operands;
  std::optional<std::string> m_store;
  std::optional<std::string> m_series;
  std::vector<std::string> m_tags;
  std::vector<std::string> m_exclude;
  std::vector<std::string> m_command;
  bool m_one_file_system = false;
  bool m_reread = false;
  bool m_assume_local = false;
  std::optional<std::string> m_max_drop;
  bool m_allow_empty = false;
  bool m_dry_run = false;
  bool m_push = false;
};

SnapshotJob SnapshotCommand::command_job() const {
  if (!m_operands.empty())
    throw Error(ErrorKind::usage, "a path or source and a command after '--' exclude each other");
  if (!m_series) throw Error(ErrorKind::usage, "the snapshot of a command needs --series NAME");
  CommandOptions command;
  command.stages = {m_command};
  command.file_name = *m_series;
  // As in "pg_dump | cairn snapshot --series db -- cat". Configured commands run unattended, one after another.
  command.inherits_input = true;
  SnapshotJob job;
  job.name = job.series = *m_series;
  job.source = std::move(command);
  return job;
}

SnapshotJob SnapshotCommand::path_job() const {
  refuse_secret(m_operands.front(), "what is given as a path", "the path of a file or directory");
  FoundPath found;
  found.options.path = m_operands.front();
  SnapshotJob job;
  job.series_defaulted = !m_series;
  job.name = job.series = m_series ? *m_series : series_of_path(found.options.path);
  job.source = std::move(found);
  return job;
}

RunPlan SnapshotCommand::configured_plan(Session& session) const {
  const Config& config = session.config();
  const auto selected = config.select_groups(m_operands);
  if (m_series) {
    throw Error(ErrorKind::usage, "--series does not go with configured sources",
                "their series are in the configuration; a path has a '/' in it, and a command, whose output is taken, "
                "stands after '--'");
  }
  return plan_of(config, selected);
}

// Hooks are those of configured sources: what is named on the command line has none.
RunPlan SnapshotCommand::plan(Session& session) const {
  if (!m_command.empty()) return plan_of({command_job()});
  if (m_operands.empty()) {
    throw Error(ErrorKind::usage, "nothing to take a snapshot of",
                "name a configured source, or a path with a '/' in it");
  }
  if (std::none_of(m_operands.begin(), m_operands.end(), is_path_operand)) return configured_plan(session);
  if (m_operands.size() > 1) {
    throw Error(ErrorKind::usage, "a path is captured alone",
                "give one path a run, or name several sources in the configuration");
  }
  return plan_of({path_job()});
}

// Those without a store to push to are captured all the same, as long as there is one with.
void check_push(Session& session, const RunPlan& plan) {
  std::vector<std::string> without;
  for (const auto& group : plan.groups) {
    for (const auto& job : group.jobs) {
      if (job.push_to.empty()) without.push_back(quote(job.name));
    }
  }
  if (without.empty()) return;
  const std::string names =
      fmt::format("{} {} no push_to", fmt::join(without, ", "), without.size() == 1 ? "has" : "have");
  if (without.size() == plan.job_count()) {
    throw Error(ErrorKind::usage, "nowhere to push to: " + names,
                "--push goes with configured sources that have push_to; else: cairn push --from STORE --to STORE");
  }
  session.reporter().warning(fmt::format("{}, and {} not pushed", names, without.size() == 1 ? "is" : "are"));
}

// Nothing where it is not given. Error(usage).
std::optional<double> SnapshotCommand::max_drop() const {
  if (!m_max_drop) return std::nullopt;
  const auto share = parse_percentage(*m_max_drop);
  if (share) return share;
  throw Error(ErrorKind::usage, fmt::format("invalid value {} of --max-drop", quote(*m_max_drop)),
              "it is a percentage from 0% to 100%");
}

// The command line takes precedence over the configuration.
void SnapshotCommand::apply_options(SnapshotJob& job) const {
  if (auto* const tree = tree_options(job.source)) {
    tree->exclude.insert(tree->exclude.end(), m_exclude.begin(), m_exclude.end());
    if (m_one_file_system) tree->one_file_system = WalkOptions::OneFileSystem::yes;
    if (m_reread) tree->reread = DirectoryOptions::Reread::yes;
  }
  if (auto* const databases = sqlite_options(job.source); databases != nullptr && m_assume_local) {
    databases->assume_local = true;
  }
  auto tags = parse_tags(m_tags);
  tags.insert(job.tags.begin(), job.tags.end());
  job.tags = std::move(tags);
  if (m_allow_empty) job.guard.allow_empty = true;
  if (const auto share = max_drop()) job.guard.max_drop = share;
}

ExitStatus SnapshotCommand::run(Session& session) {
  parse_tags(m_tags);  // before anything is read
  max_drop();
  RunPlan plan = this->plan(session);
  if (m_push && m_dry_run) throw Error(ErrorKind::usage, "--push and --dry-run exclude each other");
  if (m_push) check_push(session, plan);
  if (m_dry_run) remove_hooks(plan);
  for (auto& group : plan.groups) {
    for (auto& job : group.jobs) {
      check_series(job.series);
      job.store = session.store_name(m_store, job.store.empty() ? std::nullopt : std::optional{job.store});
      apply_options(job);
    }
  }
  RunOptions options;
  options.snapshot.dry_run = m_dry_run ? DryRun::yes : DryRun::no;
  options.snapshot.reread = m_reread;
  options.push = m_push;
  options.isolation = plan.job_count() == 1 ? RunOptions::Isolation::none : RunOptions::Isolation::each_job;

  SessionHost host{session};
  RunPrinter printer{session, options.snapshot.dry_run};
  JobRunner runner{host, printer, options};
  const RunOutcome run = runner.execute(plan);
  if (runner.ended_by()) std::rethrow_exception(runner.ended_by());
  if (session.json()) {
    JsonWriter document = begin_document("snapshot");
    write_outcomes(document, run, options.snapshot.dry_run);
    session.print(std::move(document));
  } else {
    print_spread(session, run.jobs);
  }
  return run.hook_failures.empty() ? exit_status_of(verdict_of(run.jobs))
                                   : gravest(exit_status_of(verdict_of(run.jobs)), ExitStatus::failed);
}

}  // namespace

std::unique_ptr<Command> make_snapshot_command() {
  return std::make_unique<SnapshotCommand>();
}

}  // namespace cairn
