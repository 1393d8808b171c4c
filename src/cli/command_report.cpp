#include "cli/commands.hpp"
#include "cli/drill_text.hpp"
#include "cli/output.hpp"
#include "cli/report_html.hpp"
#include "cli/session.hpp"
#include "cli/store_watch.hpp"
#include "engine/choose/dated_ahead.hpp"
#include "engine/prune/retention.hpp"
#include "util/error.hpp"
#include "util/process_info.hpp"
#include "util/secret_text.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace cairn {

namespace {

class ReportCommand : public Command {
 public:
  std::string name() const override { return "report"; }
  std::string summary() const override { return "write a page that shows how stores stand"; }
  void declare(OptionSet& options) override {
    options.operands("SERIES", m_operands, OptionSet::Required::no,
                     "series of the store, or names of configured sources and groups; all by default");
    declare_store(options, m_store);
    m_keys.declare(options);
    options.value("--html", "FILE", m_html, "write it to FILE, or with '-' print it");
  }
  ExitStatus run(Session& session) override;

 private:
  ReportStore look(Session& session, const StoreWatch& watch, Time now) const;

  std::vector<std::string> m_operands;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  std::optional<std::string> m_html;
};

struct Found {
  std::vector<ReportSnapshot> snapshots;
  std::vector<RetentionCandidate> candidates;  // one for each
};

RetentionCandidate candidate_of(const SnapshotInfo& snapshot, const NewestDrills& drills, const std::string& store_id) {
  RetentionCandidate out{snapshot.id, snapshot.record.cut_point, first_stored(snapshot)};
  out.pinned = snapshot.pinned;
  out.trusted = snapshot.trusted;
  out.wholeness = snapshot.record.doubt != Doubt::none ? Wholeness::doubtful
                  : snapshot.record.incomplete         ? Wholeness::incomplete
                                                       : Wholeness::complete;
  if (const auto drill = drills.find(snapshot.id);
      drill != drills.end() && drill->second.record.outcome == DrillOutcome::passed) {
    out.proven = drill->second.record.store == store_id ? Proven::here : Proven::elsewhere;
  }
  return out;
}

void note_retention(Found& found, const RetentionPolicy& policy, Time now) {
  if (!policy.has_rule()) return;
  auto decisions = decide_retention(found.candidates, policy, now);
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    found.snapshots[i].reasons = std::move(decisions[i].reasons);
    found.snapshots[i].goes = decisions[i].verdict == Verdict::remove;
  }
}

void note_drills(ReportSeries& series, const std::vector<StoredDrill>& drills) {
  for (const auto& drill : drills) {
    const DrillRecord& record = drill.record;
    if (!drill.trusted || record.series != series.status.series) continue;
    series.drills.push_back({record.time, record.outcome == DrillOutcome::passed, record.recovery});
    if (!series.status.drill || series.status.drill->time < record.time) {
      series.status.drill = DrillSeen{record.id, record.time, record.outcome == DrillOutcome::passed, record.recovery};
    }
  }
  std::sort(series.drills.begin(), series.drills.end(),
            [](const ReportDrill& a, const ReportDrill& b) { return a.time < b.time; });
}

ReportStore ReportCommand::look(Session& session, const StoreWatch& watch, Time now) const {
  ReportStore out{watch.store, {}, {}};
  try {
    OpenStore store = session.open(watch.store, StoreUse::read, &m_keys);
    const std::string only = watch.series.size() == 1 ? *watch.series.begin() : std::string{};
    const auto drills = store.repository->drills().list(only);
    const NewestDrills newest = newest_drills(drills);
    const std::string store_id = store.repository->descriptor().store_id;
    DatedAhead dated_ahead{*store.store, now};
    std::map<std::string, Found> found;
    for (const auto& series : watch.series) found[series];
    for (const auto& snapshot : store.repository->manifests().list_snapshots(only)) {
      const std::string& series = snapshot.record.series;
      if (!watch.series.empty() && !watch.series.contains(series)) continue;
      Found& of_series = found[series];
      of_series.snapshots.push_back(
          {seen(snapshot, dated_ahead(snapshot.record.cut_point, first_stored(snapshot))), {}, false});
      of_series.candidates.push_back(candidate_of(snapshot, newest, store_id));
    }
    const Config& config = session.config();
    for (auto& [name, of_series] : found) {
      std::vector<SnapshotSeen> all;
      for (const auto& snapshot : of_series.snapshots) all.push_back(snapshot.seen);
      ReportSeries series;
      series.status = series_status(name, std::move(all), config.max_age_of(name), now);
      if (const SourceConfig* source = config.source_of(name)) {
        series.status.max_recovery = source->drill.max_recovery_time;
      }
      RetentionPolicy policy = config.retention_of(name);
      policy.time_zone = config.time_zone;
      series.has_policy = policy.has_rule();
      note_retention(of_series, policy, now);
      series.snapshots = std::move(of_series.snapshots);
      note_drills(series, drills);
      out.series.push_back(std::move(series));
    }
  } catch (const Error& e) {
    // The other stores are looked at all the same.
    if (e.kind() == ErrorKind::interrupted || e.kind() == ErrorKind::usage) throw;
    out.series.clear();
    out.failure = e;
  }
  return out;
}

ExitStatus ReportCommand::run(Session& session) {
  if (!m_html) throw Error(ErrorKind::usage, "report needs a form: --html FILE", "--html - prints the page");
  if (session.json()) throw Error(ErrorKind::usage, "report has no JSON", "status --json has what it shows");
  ReportFacts facts{session.io().clock(), host_name(), CAIRN_VERSION, {}};
  for (const auto& watch : watches(session, m_store, m_operands))
    facts.stores.push_back(look(session, watch, facts.made));
  ExitStatus status = ExitStatus::done;
  for (const auto& store : facts.stores) {
    if (!store.failure) continue;
    session.print_error(*store.failure);
    status = gravest(status, ExitStatus{exit_status_of(store.failure->kind(), 0)});
  }
  const std::string page = report_html(facts);
  if (*m_html == "-") {
    session.out() << page;
  } else {
    write_file_atomic(*m_html, as_bytes(page), 0644);
  }
  return status;
}

}  // namespace

std::unique_ptr<Command> make_report_command() {
  return std::make_unique<ReportCommand>();
}

}  // namespace cairn
