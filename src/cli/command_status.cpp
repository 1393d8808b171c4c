#include "cli/commands.hpp"
#include "cli/drill_text.hpp"
#include "cli/notifying.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "cli/status_text.hpp"
#include "cli/store_watch.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace cairn {

namespace {

class StatusCommand : public Command {
 public:
  std::string name() const override { return "status"; }
  std::string summary() const override { return "say which series are fresh, and which are stale"; }
  void declare(OptionSet& options) override {
    options.operands("SERIES", m_operands, OptionSet::Required::no,
                     "series of the store, or names of configured sources and groups; all by default");
    declare_store(options, m_store);
    m_keys.declare(options);
    options.value("--max-age", "TIME", m_max_age,
                  "stale is what is older, as 26h; by default what the configuration says");
    options.flag("--nagios", m_nagios, "print and exit as a monitoring plugin: 0 OK, 2 CRITICAL, 3 UNKNOWN");
    options.flag("--notify", m_notify, "tell whom the configuration names in [notify], once a change of state");
    options.value("--prometheus", "FILE", m_prometheus, "write metrics for Prometheus to FILE, or with '-' print them");
  }
  ExitStatus run(Session& session) override;

 private:
  std::optional<Nanoseconds> limit_of(Session& session, const std::string& series) const;
  StoreStatus look(Session& session, const StoreWatch& watch, Time now) const;

  std::vector<std::string> m_operands;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  std::optional<std::string> m_max_age;
  std::optional<Nanoseconds> m_limit;
  bool m_nagios = false;
  bool m_notify = false;
  std::optional<std::string> m_prometheus;
};

// The command line takes precedence over the configuration.
std::optional<Nanoseconds> StatusCommand::limit_of(Session& session, const std::string& series) const {
  return m_limit ? m_limit : session.config().max_age_of(series);
}

// The newest of a series, of whatever snapshot.
void note_drill(Session& session, const NewestDrills& drills, SeriesStatus& series) {
  if (const SourceConfig* source = session.config().source_of(series.series)) {
    series.max_recovery = source->drill.max_recovery_time;
  }
  for (const auto& [id, drill] : drills) {
    const DrillRecord& record = drill.record;
    if (record.series != series.series || (series.drill && record.time <= series.drill->time)) continue;
    series.drill = DrillSeen{id, record.time, record.outcome == DrillOutcome::passed, record.recovery};
  }
}

StoreStatus StatusCommand::look(Session& session, const StoreWatch& watch, Time now) const {
  StoreStatus out{watch.store, {}, {}};
  try {
    OpenStore store = session.open(watch.store, StoreUse::read, &m_keys);
    DatedAhead dated_ahead{*store.store, now};
    std::map<std::string, std::vector<SnapshotSeen>> found;
    const auto take = [&](const std::string& series) {
      for (const auto& snapshot : store.repository->manifests().list_snapshots(series)) {
        found[snapshot.record.series].push_back(
            seen(snapshot, dated_ahead(snapshot.record.cut_point, first_stored(snapshot))));
      }
    };
    if (watch.series.empty()) take({});
    for (const auto& series : watch.series) take(series);
    for (auto& [series, snapshots] : found) {
      out.series.push_back(series_status(series, std::move(snapshots), limit_of(session, series), now));
    }
    const auto drills = shown_drills(session, store, watch.series.size() == 1 ? *watch.series.begin() : "");
    for (auto& series : out.series) note_drill(session, drills, series);
    for (const auto& series : watch.series) {
      if (!found.contains(series)) out.series.push_back(series_status(series, {}, limit_of(session, series), now));
    }
  } catch (const Error& e) {
    // The other stores are looked at all the same. A signal, and what the command line has wrong, are not of this one.
    if (e.kind() == ErrorKind::interrupted || e.kind() == ErrorKind::usage) throw;
    out.failure = e;
  }
  return out;
}

std::vector<Observation> observations_of(const StatusReport& report) {
  std::vector<Observation> seen;
  for (const auto& store : report.stores) {
    seen.push_back(observation_of_store(store.name, store.failure));
    for (const auto& series : store.series) seen.push_back(observation_of(series, store.name));
  }
  return seen;
}

bool shows_utf8(const EnvironmentLookup& environment) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const auto value = environment(name);
    if (!value || value->empty()) continue;
    return value->find("UTF-8") != std::string::npos || value->find("utf8") != std::string::npos;
  }
  return false;
}

ExitStatus StatusCommand::run(Session& session) {
  if (m_nagios && (session.json() || m_prometheus == "-")) {
    throw Error(ErrorKind::usage, "--nagios, --json and --prometheus - exclude each other: each is all of the output");
  }
  if (session.json() && m_prometheus == "-") {
    throw Error(ErrorKind::usage, "--json and --prometheus - exclude each other: each is all of the output",
                "--prometheus FILE goes with either");
  }
  if (m_max_age) {
    m_limit = parse_duration(*m_max_age);
    if (!m_limit) {
      throw Error(ErrorKind::usage, fmt::format("invalid value {} of --max-age", quote_given(*m_max_age)),
                  "it is a time as 90m, 26h or 7d");
    }
  }
  std::optional<Notifying> notifying;
  if (m_notify) notifying.emplace(session).require_way();
  StatusReport report{session.io().clock(), {}};
  for (const auto& watch : watches(session, m_store, m_operands))
    report.stores.push_back(look(session, watch, report.at));
  if (!m_nagios) {
    for (const auto& store : report.stores) {
      if (store.failure) session.print_error(*store.failure);
    }
  }
  if (notifying) notifying->tell(observations_of(report));
  const std::string metrics = m_prometheus ? status_for_prometheus(report) : std::string{};
  if (m_prometheus && *m_prometheus != "-") write_file_atomic(*m_prometheus, as_bytes(metrics), 0644);
  if (m_prometheus == "-") {
    session.out() << metrics;
  } else if (m_nagios) {
    session.out() << status_for_plugins(report);
    return ExitStatus{plugin_status(report)};
  } else if (session.json()) {
    JsonWriter to = begin_document(name());
    write_status_members(to, report);
    session.print(std::move(to));
  } else if (!session.quiet()) {
    print_status_table(session.out(), report, shows_utf8(session.io().environment) ? Growth::shown : Growth::hidden);
    if (std::all_of(report.stores.begin(), report.stores.end(),
                    [](const StoreStatus& store) { return store.series.empty() && !store.failure; })) {
      session.reporter().info("no snapshots");
    }
  }
  return status_of(report);
}

}  // namespace

std::unique_ptr<Command> make_status_command() {
  return std::make_unique<StatusCommand>();
}

}  // namespace cairn
