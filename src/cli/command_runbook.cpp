#include "cli/commands.hpp"
#include "cli/drill_text.hpp"
#include "cli/output.hpp"
#include "cli/runbook_text.hpp"
#include "cli/session.hpp"
#include "engine/choose/reference.hpp"
#include "engine/status/series_status.hpp"
#include "store/open.hpp"
#include "util/error.hpp"
#include "util/process_info.hpp"
#include "util/secret_text.hpp"
#include "util/time.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace cairn {

namespace {

class RunbookCommand : public Command {
 public:
  std::string name() const override { return "runbook"; }
  std::string summary() const override { return "print how to get back what a store has, with its names and times"; }
  void declare(OptionSet& options) override {
    options.operands("SERIES", m_series, OptionSet::Required::no, "only of these; all by default");
    declare_store(options, m_store);
    m_keys.declare(options);
    options.value("--format", "text|markdown|html", m_format, "the form; text by default");
  }
  ExitStatus run(Session& session) override;

 private:
  RunbookFacts look(Session& session) const;

  std::vector<std::string> m_series;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  std::optional<std::string> m_format;
};

using Render = std::string (*)(const Document&);

Render renderer(const std::optional<std::string>& format) {
  if (!format || *format == "text") return as_text;
  if (*format == "markdown") return as_markdown;
  if (*format == "html") return as_html;
  throw Error(ErrorKind::usage, fmt::format("invalid value {} of --format", quote_given(*format)),
              "it is text, markdown or html");
}

// The newest snapshot of each series that a drill has restored, whether or not a newer one has failed.
void note_proof(RunbookSeries& series, const std::vector<SnapshotInfo>& snapshots, const NewestDrills& drills) {
  for (const auto& snapshot : snapshots) {
    if (snapshot.record.series != series.series || !snapshot.trusted) continue;
    const auto drill = drills.find(snapshot.id);
    if (drill == drills.end() || drill->second.record.outcome != DrillOutcome::passed) continue;
    if (series.proven && series.proven->cut_point >= snapshot.record.cut_point) continue;
    series.proven = RunbookSnapshot{snapshot.id, snapshot.record.cut_point};
    series.drilled = drill->second.record.time;
    series.recovery = drill->second.record.recovery;
  }
}

void note_origin(RunbookSeries& series, const SnapshotInfo& snapshot) {
  if (snapshot.closed) return;
  const Facts& facts = snapshot.facts;
  series.bytes = facts.stats.bytes;
  series.kind = facts.kind;
  series.host = facts.host;
  series.source = facts.source;
}

std::vector<RunbookSeries> series_of(const std::vector<SnapshotInfo>& snapshots, const NewestDrills& drills,
                                     DatedAhead& dated_ahead, Time now) {
  std::map<std::string, std::vector<SnapshotSeen>> found;
  for (const auto& snapshot : snapshots) {
    found[snapshot.record.series].push_back(
        seen(snapshot, dated_ahead(snapshot.record.cut_point, first_stored(snapshot))));
  }
  std::vector<RunbookSeries> out;
  for (auto& [name, all] : found) {
    const SeriesStatus status = series_status(name, std::move(all), {}, now);
    RunbookSeries series;
    series.series = name;
    series.remark = remark(status);
    if (status.newest) {
      series.newest = RunbookSnapshot{status.newest->id, status.newest->cut_point};
      for (const auto& snapshot : snapshots) {
        if (snapshot.id == status.newest->id) note_origin(series, snapshot);
      }
    }
    note_proof(series, snapshots, drills);
    out.push_back(std::move(series));
  }
  return out;
}

RunbookFacts RunbookCommand::look(Session& session) const {
  for (const auto& series : m_series) check_series(series);
  const std::string name = session.store_name(m_store);
  OpenStore store = session.open(name, StoreUse::read, &m_keys);
  RunbookFacts facts;
  facts.made = session.io().clock();
  facts.host = host_name();
  facts.version = CAIRN_VERSION;
  const EnvironmentLookup& environment = session.io().environment;
  WholeAddress address = whole_address(session.address(name), environment);
  facts.store = {name, std::move(address.url)};
  facts.bucket = address.bucket.has_value();
  facts.bucket_name = address.bucket.value_or("");
  facts.endpoint = std::move(address.endpoint);
  facts.recipients = store.repository->descriptor().recipients;
  const Config& config = session.config();
  if (config.identity && !facts.recipients.empty()) facts.identity = config.identity->native();
  const TrustPolicy& trust = store.repository->trust();
  facts.trusted_keys = trust.trusted;
  auto snapshots = store.repository->manifests().list_snapshots(m_series.size() == 1 ? m_series.front() : "");
  const std::set<std::string> wanted{m_series.begin(), m_series.end()};
  snapshots.erase(
      std::remove_if(snapshots.begin(), snapshots.end(),
                     [&](const SnapshotInfo& each) { return !wanted.empty() && !wanted.contains(each.record.series); }),
      snapshots.end());
  for (const auto& series : wanted) {
    const bool there = std::any_of(snapshots.begin(), snapshots.end(),
                                   [&](const SnapshotInfo& each) { return each.record.series == series; });
    if (!there) throw no_such_series(store, series);
  }
  DatedAhead dated_ahead{*store.store, facts.made};
  const NewestDrills drills = snapshots.empty() ? NewestDrills{} : shown_drills(session, store, "");
  facts.series = series_of(snapshots, drills, dated_ahead, facts.made);
  for (auto& series : facts.series) {
    for (const auto& key : trust.trusted) {
      if (trust.trusts(key.key, series.series)) series.trusted_keys.push_back(key.key);
    }
  }
  std::set<std::string> others;
  for (const auto& series : facts.series) {
    const SourceConfig* source = config.source_of(series.series);
    if (source == nullptr) continue;
    others.insert(source->push_to.begin(), source->push_to.end());
    if (source->store) others.insert(*source->store);
  }
  for (const auto& other : others) {
    RunbookStore known{other, whole_address(session.address(other), environment).url};
    if (known.address != facts.store.address) facts.others.push_back(std::move(known));
  }
  return facts;
}

void write_snapshot(JsonWriter& to, std::string_view name, const std::optional<RunbookSnapshot>& snapshot) {
  to.key(name);
  if (!snapshot) {
    to.null();
    return;
  }
  to.begin_object().member("id", snapshot->id.hex()).member("cut_point", format_time(snapshot->cut_point)).end_object();
}

void write_facts(JsonWriter& to, const RunbookFacts& facts) {
  to.member("made", format_time(facts.made)).member("store", facts.store.name).member("address", facts.store.address);
  to.key("recipients").begin_array();
  for (const auto& recipient : facts.recipients) to.value(recipient);
  to.end_array().key("trusted_keys").begin_array();
  for (const auto& key : facts.trusted_keys) {
    to.begin_object().member("key", key.key).member("series", key.series).end_object();
  }
  to.end_array().key("series").begin_array();
  for (const auto& series : facts.series) {
    to.begin_object().member("series", series.series);
    write_snapshot(to, "newest", series.newest);
    write_snapshot(to, "proven", series.proven);
    to.key("recovery_seconds");
    series.proven ? to.value(std::chrono::duration<double>(series.recovery).count()) : to.null();
    to.key("bytes");
    series.bytes ? to.value(*series.bytes) : to.null();
    to.member("kind", series.kind).member("host", series.host);
    text_member(to, "source", series.source);
    to.member("remark", series.remark).end_object();
  }
  to.end_array().key("others").begin_array();
  for (const auto& other : facts.others) {
    to.begin_object().member("store", other.name).member("address", other.address).end_object();
  }
  to.end_array();
}

ExitStatus RunbookCommand::run(Session& session) {
  const Render render = renderer(m_format);
  if (session.json() && m_format) {
    throw Error(ErrorKind::usage, "--json and --format exclude each other: each is all of the output");
  }
  const RunbookFacts facts = look(session);
  if (session.json()) {
    JsonWriter to = begin_document(name());
    write_facts(to, facts);
    session.print(std::move(to));
  } else {
    session.out() << render(runbook_of(facts));
  }
  return ExitStatus::done;
}

}  // namespace

std::unique_ptr<Command> make_runbook_command() {
  return std::make_unique<RunbookCommand>();
}

}  // namespace cairn
