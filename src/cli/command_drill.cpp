#include "cli/commands.hpp"
#include "cli/drill_run.hpp"
#include "cli/drill_text.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "engine/choose/reference.hpp"
#include "util/error.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cairn {

namespace {

class DrillCommandLine : public Command {
 public:
  std::string name() const override { return "drill"; }
  std::string summary() const override { return "rehearse a restore, check what comes out of it, and record that"; }
  void declare(OptionSet& options) override {
    options.operands("REF", m_operands, OptionSet::Required::no,
                     "snapshots, series, or names of configured sources and groups; all sources by default");
    declare_store(options, m_store);
    m_keys.declare(options);
    options.value("--series", "NAME", m_series, "with REF latest: of this series");
    options.flag("--random", m_random, "not the newest snapshot of a series, but any");
    options.flag("--oldest", m_oldest, "not the newest snapshot of a series, but the oldest");
    options.flag("--accept", m_accept,
                 "take what has gone since the last drill as meant to be so: tell of it, and pass");
    options.value("--scratch", "DIR", m_scratch, "restore below this directory; by default where a run's files wait");
    options.value("--keep", "DIR", m_keep, "restore into this empty directory, and leave it there");
    options.value("--record-to", "STORE", m_record_to, "put the record there instead of into the store");
    options.flag("--no-record", m_no_record, "write no record");
    options.flag("--chaos", m_chaos, "make a pack look lost or damaged, and pass where that is noticed");
    options.value("--junit", "FILE", m_junit, "write the checks to FILE, too, as JUnit's XML");
  }
  Patience patience() const override { return Patience::job; }
  ExitStatus run(Session& session) override;

 private:
  DrillOptions options() const;
  std::vector<DrillTarget> targets(Session& session);
  void add_sources(Session& session, const std::vector<const SourceConfig*>& sources,
                   std::vector<DrillTarget>& targets) const;
  DrillLine drill(Session& session, const DrillTarget& target) const;

  std::vector<std::string> m_operands;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  std::optional<std::string> m_series;
  bool m_random = false;
  bool m_oldest = false;
  bool m_accept = false;
  std::optional<std::string> m_scratch;
  std::optional<std::string> m_keep;
  std::optional<std::string> m_record_to;
  bool m_no_record = false;
  bool m_chaos = false;
  std::optional<std::string> m_junit;
};

DrillOptions DrillCommandLine::options() const {
  const auto exclude = [](bool both, const char* text) {
    if (both) throw Error(ErrorKind::usage, fmt::format("{} exclude each other", text));
  };
  exclude(m_random && m_oldest, "--random and --oldest");
  exclude(m_no_record && m_record_to, "--no-record and --record-to");
  exclude(m_keep && m_scratch, "--keep and --scratch");
  exclude(m_chaos && m_record_to, "--chaos and --record-to");
  DrillOptions options;
  if (m_random) options.pick = DrillOptions::Pick::random;
  if (m_oldest) options.pick = DrillOptions::Pick::oldest;
  options.keys = &m_keys;
  if (m_scratch) options.scratch = *m_scratch;
  if (m_keep) options.keep = *m_keep;
  options.accept = m_accept;
  options.record = !m_no_record;
  options.record_to = m_record_to;
  options.chaos = m_chaos;
  return options;
}

void DrillCommandLine::add_sources(Session& session, const std::vector<const SourceConfig*>& sources,
                                   std::vector<DrillTarget>& targets) const {
  for (const SourceConfig* source : sources) {
    const std::string store = m_store ? *m_store : session.store_name(std::nullopt, source->store);
    targets.push_back({store, source->series, std::nullopt, source});
  }
}

std::vector<DrillTarget> DrillCommandLine::targets(Session& session) {
  const Config& config = session.config();
  std::vector<DrillTarget> targets;
  if (m_operands.empty() && m_series) {
    targets.push_back({session.store_name(m_store), *m_series, std::nullopt, nullptr});
  } else if (m_operands.empty() && config.sources.empty()) {
    const std::string store = session.store_name(m_store);
    OpenStore open = session.open(store, StoreUse::read, &m_keys);
    std::set<std::string> series;
    for (const auto& info : open.repository->manifests().list()) series.insert(info.name.series);
    for (const auto& each : series) targets.push_back({store, each, std::nullopt, nullptr});
    if (targets.empty()) {
      throw Error(ErrorKind::not_found, fmt::format("no snapshot in store {}", quote(open.store->describe())));
    }
  } else if (m_operands.empty()) {
    for (const auto& together : config.all_groups()) add_sources(session, together.sources, targets);
  }
  for (const auto& operand : m_operands) {
    if (config.sources.contains(operand) || config.groups.contains(operand)) {
      add_sources(session, config.select_sources({operand}), targets);
    } else {
      targets.push_back({session.store_name(m_store), operand, m_series, nullptr});
    }
  }
  for (const auto& target : targets) parse_reference(target.reference);
  return targets;
}

DrillLine DrillCommandLine::drill(Session& session, const DrillTarget& target) const {
  DrillLine line{target.reference, target.store, std::nullopt, std::nullopt};
  line.failure = every_failure_of([&] { line.report = run_drill(session, target, options()); });
  session.reporter().clear_progress();
  if (line.report) {
    print_drill(session, *line.report);
    if (!line.report->kept_because.empty()) {
      session.reporter().warning(fmt::format("the record waits on this host for a run that may write to {}: {}",
                                             quote(line.report->recorded_in), line.report->kept_because));
    }
    if (!line.report->recorded_as.empty()) {
      session.note_change(fmt::format("record {} of the drill is in the store", quote(line.report->recorded_as)));
    }
  }
  return line;
}

ExitStatus DrillCommandLine::run(Session& session) {
  options();
  const auto all = targets(session);
  if (m_keep && all.size() != 1) {
    throw Error(ErrorKind::usage, "--keep is for one snapshot, and several are meant", "name one of them");
  }
  ExitStatus status = ExitStatus::done;
  std::vector<DrillLine> lines;
  for (const auto& target : all) {
    lines.push_back(drill(session, target));
    auto failure = lines.back().failure;
    if (const auto& report = lines.back().report) {
      failure = failure_of(*report);
      if (report->lost_record) {
        session.print_error(*report->lost_record);
        status = gravest(status, ExitStatus{exit_status_of(report->lost_record->kind(), 0)});
      }
    }
    // One failure of several does not keep the others from being rehearsed.
    if (failure && all.size() == 1 && !lines.back().report && !m_junit) throw Error(*failure);
    if (!failure) continue;
    session.print_error(*failure);
    status = gravest(status, ExitStatus{exit_status_of(failure->kind(), 0)});
  }
  if (m_junit) write_file_atomic(*m_junit, as_bytes(junit_of(lines)), 0644);
  if (session.json()) {
    JsonWriter to = begin_document(name());
    to.key("drills").begin_array();
    for (const auto& line : lines) write_drill(to, line);
    to.end_array();
    session.print(std::move(to));
  }
  return status;
}

}  // namespace

std::unique_ptr<Command> make_drill_command() {
  return std::make_unique<DrillCommandLine>();
}

}  // namespace cairn
