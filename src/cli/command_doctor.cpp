#include "cli/commands.hpp"
#include "cli/doctor_text.hpp"
#include "cli/drill_text.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "engine/choose/dated_ahead.hpp"
#include "engine/doctor/host_findings.hpp"
#include "engine/doctor/store_findings.hpp"
#include "engine/prune/retention.hpp"
#include "engine/status/series_status.hpp"
#include "store/open.hpp"
#include "util/error.hpp"
#include "util/shell_word.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unistd.h>

#include <fmt/format.h>
#include <sqlite3.h>

namespace cairn {

namespace {

// What one store has of the series that are looked at.
struct StoreSeen {
  bool opened = false;
  std::optional<fs::path> root;  // a directory
  std::map<std::string, std::vector<SnapshotSeen>> snapshots;
  std::map<std::string, LastDrill> drills;
};

class DoctorCommand : public Command {
 public:
  std::string name() const override { return "doctor"; }
  std::string summary() const override { return "look for what would fail on the day of a restore"; }
  void declare(OptionSet& options) override {
    declare_store(options, m_store);
    m_keys.declare(options);
    options.flag("--read-only", m_read_only, "put nothing into a store, not even to see whether that is allowed");
    options.flag("--all", m_all, "say also what is well");
  }
  ExitStatus run(Session& session) override;

 private:
  void look_at_host(Session& session);
  void look_at_keys(Session& session);
  void look_at_stores(Session& session);
  StoreSeen look_at_store(Session& session, const std::string& store, StoreRole role);
  void look_at_source(Session& session, const SourceConfig& source);
  void look_at_separation(Session& session, const SourceConfig& source, const std::string& subject);
  void look_at_path(Session& session, const SourceConfig& source, const std::string& subject);
  void add(Finding finding) { m_findings.push_back(std::move(finding)); }
  void add(Severity severity, std::string subject, std::string message, std::string fix = {}) {
    m_findings.push_back({severity, std::move(subject), std::move(message), std::move(fix)});
  }

  std::optional<std::string> m_store;
  KeyOptions m_keys;
  bool m_read_only = false;
  bool m_all = false;
  Findings m_findings;
  std::map<std::string, StoreSeen> m_stores;
};

std::string subject_of_store(const std::string& store) {
  return "store " + store;
}

std::string fix_of(const Error& error, const std::string& store) {
  if (error.kind() != ErrorKind::not_found || !error.hint().empty()) return error.hint();
  return fmt::format("mount its disk, correct its address, or make it: cairn init --store {}", shell_word(store));
}

void DoctorCommand::look_at_host(Session& session) {
  const Config& config = session.config();
  if (config.file) {
    add(Severity::good, "host", fmt::format("the configuration {} can be read", quote(config.file->native())));
  } else {
    add(Severity::note, "host", "there is no configuration: nothing is known of sources, retention and who is told",
        "cairn.toml(5)");
  }
  add(judge_sqlite(sqlite3_libversion()));
  try {
    check_time_zone(config.time_zone);
  } catch (const Error& e) {
    add(Severity::problem, "host", e.message(), e.hint());
  }
  const fs::path spool = session.spool();
  if (const auto room = room_of(spool)) add(judge_room("host", "the spool", spool.parent_path(), *room));
  for (const auto& [purpose, path] :
       {std::pair{"the state", session.state().directory()}, {"the cache", session.cache()}}) {
    if (path.empty()) continue;
    fs::path there = path;
    while (!fs::exists(there) && there.has_relative_path()) there = there.parent_path();
    if (::access(there.c_str(), W_OK) != 0) {
      add(Severity::warning, "host", fmt::format("{} {} cannot be written by this user", purpose, quote(path.native())),
          "run it as the user whose it is, or name another place in the configuration");
    } else if (const auto room = room_of(there)) {
      add(judge_room("host", purpose, path, *room));
    }
  }
  if (config.sources.empty()) return;
  add(judge_timers(enabled_units("/"), crontabs_with_program("/")));
  const NotifySettings& notify = config.notify;
  if (!(notify.has_ways() || notify.ping || notify.ping_file)) {
    add(Severity::warning, "host", "nobody is told when a run fails", "[notify] in the configuration");
  }
}

void DoctorCommand::look_at_keys(Session& session) {
  const Config& config = session.config();
  const auto signing = session.signing_key();
  if (!signing) return;
  const std::string own = signing->public_key().text();
  for (const auto& [name, store] : config.stores) {
    if (store.trusted_keys.empty()) continue;
    const bool trusted = std::any_of(store.trusted_keys.begin(), store.trusted_keys.end(),
                                     [&](const TrustedKey& key) { return key.key == own; });
    if (!trusted) {
      add(Severity::problem, subject_of_store(name),
          "this host's signatures do not count there: its key is not among the trusted_keys",
          fmt::format("trusted_keys of [stores.{}]: {}", name, own));
    }
  }
}

StoreSeen DoctorCommand::look_at_store(Session& session, const std::string& store, StoreRole role) {
  const std::string subject = subject_of_store(store);
  StoreSeen seen_there;
  try {
    OpenStore open = session.open(store, StoreUse::read, &m_keys);
    seen_there.opened = true;
    seen_there.root = open.store->root();
    if (const auto keys = credentials_of(session.address(store), session.io().environment)) {
      add(Severity::good, subject, fmt::format("its keys come from {}", *keys));
    }
    const Time now = session.io().clock();
    const Trial trial = m_read_only ? Trial::no : Trial::yes;
    for (auto& finding : examine_store(*open.store, subject, open.repository->descriptor(), role, trial, now)) {
      add(std::move(finding));
    }
    if (seen_there.root) {
      if (const auto room = room_of(*seen_there.root))
        add(judge_room(subject, "its directory", *seen_there.root, *room));
    }
    std::vector<std::string> unreadable;
    DatedAhead dated_ahead{*open.store, now};
    bool closed = false;
    for (const auto& snapshot : open.repository->manifests().list_snapshots("", &unreadable)) {
      closed = closed || snapshot.closed;
      seen_there.snapshots[snapshot.record.series].push_back(
          seen(snapshot, dated_ahead(snapshot.record.cut_point, first_stored(snapshot))));
    }
    if (!unreadable.empty()) {
      add(Severity::problem, subject,
          fmt::format("{} cannot be read", counted(unreadable.size(), "manifest", "manifests")),
          fmt::format("cairn verify --store {}", shell_word(store)));
    }
    if (closed) {
      const bool given = !m_keys.identities.empty() || session.config().identity;
      add(given ? Severity::warning : Severity::note, subject,
          given ? "the identity at hand does not open all of its snapshots"
                : "no identity is at hand here: this host cannot restore from it",
          given ? "find the identity of a recipient: cairn key list"
                : "know where the identity is kept, and try it: drill");
    }
    for (const auto& drill : newest_drills(open.repository->drills().list())) {
      const DrillRecord& record = drill.second.record;
      const LastDrill last{record.time, record.outcome == DrillOutcome::passed};
      const auto [known, added] = seen_there.drills.emplace(record.series, last);
      if (!added && known->second.time < last.time) known->second = last;
    }
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    add(Severity::problem, subject, e.message(), fix_of(e, store));
  }
  return seen_there;
}

void DoctorCommand::look_at_stores(Session& session) {
  const Config& config = session.config();
  std::map<std::string, StoreRole> roles;
  for (const auto& [name, store] : config.stores) roles[name].prunes = store.prune;
  for (const auto& [name, source] : config.sources) {
    roles[session.store_name(std::nullopt, source.store)].writes = true;
    for (const auto& store : source.push_to) roles[store].writes = true;
  }
  if (m_store) {
    const StoreRole role = roles[*m_store];
    roles = {{*m_store, role}};
  } else if (roles.empty()) {
    try {
      roles[session.store_name(std::nullopt)] = {};
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::usage) throw;
      add(Severity::note, "host", "no store is known here: none is looked at", e.hint());
    }
  }
  for (const auto& [name, role] : roles) m_stores[name] = look_at_store(session, name, role);
}

// Of all stores that have it the one that would survive the source best.
void DoctorCommand::look_at_separation(Session& session, const SourceConfig& source, const std::string& subject) {
  const auto place = whereabouts_of(source.path);
  if (!place) return;
  std::set<std::string> stores{source.push_to.begin(), source.push_to.end()};
  stores.insert(session.store_name(std::nullopt, source.store));
  std::optional<Finding> best;
  for (const auto& store : stores) {
    const StoreSeen& known = m_stores[store];
    if (!known.opened) continue;
    if (!known.root) return add(Severity::good, subject, fmt::format("store {} is not on this host", quote(store)));
    const auto there = whereabouts_of(*known.root);
    if (!there) continue;
    const Finding finding = judge_separation(subject, *place, store, *there);
    if (!best || finding.severity < best->severity) best = finding;
  }
  if (best) add(std::move(*best));
}

void DoctorCommand::look_at_path(Session& session, const SourceConfig& source, const std::string& subject) {
  if (source.type == SourceKind::command) return;
  if (::access(source.path.c_str(), R_OK) != 0) {
    add(Severity::problem, subject,
        fmt::format("{} cannot be read: {}", quote(source.path.native()), errno_text(errno)),
        "correct its path, or run as a user who may read it");
    return;
  }
  look_at_separation(session, source, subject);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator{source.path.parent_path(), ignored}) {
    if (!entry.path().filename().native().starts_with(".cairn-restore-")) continue;
    add(Severity::note, subject, fmt::format("an interrupted restore left {}", quote(entry.path().native())),
        "the same restore goes on from it; --discard drops it");
  }
}

void DoctorCommand::look_at_source(Session& session, const SourceConfig& source) {
  const std::string subject = "source " + source.name;
  const Time now = session.io().clock();
  look_at_path(session, source, subject);
  if (!source.max_age) {
    add(Severity::warning, subject, "it has no max_age: nobody notices when its snapshots stop", "max_age = \"26h\"");
  }
  const std::string store = session.store_name(std::nullopt, source.store);
  const StoreSeen& here = m_stores[store];
  if (!here.opened) return;
  const auto found = here.snapshots.find(source.series);
  const SeriesStatus status = series_status(
      source.series, found == here.snapshots.end() ? std::vector<SnapshotSeen>{} : found->second, source.max_age, now);
  const std::string said = remark(status);
  if (!status.newest) {
    add(Severity::problem, subject, fmt::format("store {} has no snapshot of it that can be relied on", quote(store)),
        fmt::format("cairn snapshot {}", shell_word(source.name)));
    return;
  }
  if (status.freshness == Freshness::stale || !said.empty()) {
    add(status.freshness == Freshness::stale ? Severity::problem : Severity::warning, subject, said,
        fmt::format("cairn run {}", shell_word(source.name)));
  }
  for (const auto& other : source.push_to) {
    const auto there = m_stores.find(other);
    if (there == m_stores.end() || !there->second.opened) continue;
    std::set<Digest> has;
    for (const auto& snapshot : there->second.snapshots[source.series]) has.insert(snapshot.id);
    Time newest_there{Nanoseconds::min()};
    for (const auto& snapshot : there->second.snapshots[source.series]) {
      newest_there = std::max(newest_there, snapshot.cut_point);
    }
    const auto behind = static_cast<std::uint64_t>(
        std::count_if(found->second.begin(), found->second.end(), [&](const SnapshotSeen& snapshot) {
          return snapshot.counts() && snapshot.cut_point > newest_there && !has.contains(snapshot.id);
        }));
    add(judge_push(subject, store, other, behind));
  }
  std::optional<LastDrill> last;
  for (const auto& [name, known] : m_stores) {
    const auto drill = known.drills.find(source.series);
    if (drill != known.drills.end() && (!last || last->time < drill->second.time)) last = drill->second;
  }
  add(judge_drill(subject, source.name, last, source.drill.every, now));
}

ExitStatus DoctorCommand::run(Session& session) {
  look_at_host(session);
  look_at_keys(session);
  look_at_stores(session);
  if (!m_store) {
    for (const auto& [name, source] : session.config().sources) look_at_source(session, source);
  }
  std::stable_sort(m_findings.begin(), m_findings.end(),
                   [](const Finding& a, const Finding& b) { return a.subject < b.subject; });
  if (session.json()) {
    JsonWriter to = begin_document(name());
    write_findings(to, m_findings);
    session.print(std::move(to));
  } else if (!session.quiet() || doctor_status(m_findings) != 0) {
    print_findings(session.out(), m_findings, m_all ? Shown::all : Shown::what_is_not_good);
  }
  return ExitStatus{doctor_status(m_findings)};
}

}  // namespace

std::unique_ptr<Command> make_doctor_command() {
  return std::make_unique<DoctorCommand>();
}

}  // namespace cairn
