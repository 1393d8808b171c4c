#include "cli/drill_run.hpp"

#include "engine/choose/reference.hpp"
#include "engine/drill/driller.hpp"
#include "engine/run/hooks.hpp"
#include "repo/future_dated.hpp"
#include "store/metered_store.hpp"
#include "store/store_url.hpp"
#include "util/error.hpp"
#include "util/spool_directory.hpp"

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <zstd.h>

namespace cairn {

namespace {

std::map<std::string, std::string> versions() {
  return {{"cairn", CAIRN_VERSION},
          {"sqlite", sqlite3_libversion()},
          {"zstd", ZSTD_versionString()},
          {"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)}};
}

// The series that a reference names; nothing where it names a snapshot.
std::optional<std::string> series_of(const DrillTarget& target) {
  const auto parsed = parse_reference(target.reference);
  if (const auto* series = std::get_if<SeriesReference>(&parsed)) return series->series;
  if (std::holds_alternative<LatestReference>(parsed)) return target.series;
  return std::nullopt;
}

// The ids of a series' snapshots in the order in which they are to be tried.
std::vector<std::string> candidates(OpenStore& store, const std::string& series, DrillOptions::Pick pick) {
  std::vector<std::string> ids;
  for (const auto& info : store.repository->manifests().list(series)) {
    if (is_future_dated(info.name.cut_point, info.stored_at)) continue;
    if (std::find(ids.begin(), ids.end(), info.name.id) == ids.end()) ids.push_back(info.name.id);
  }
  if (ids.empty()) throw no_such_series(store, series);
  if (pick == DrillOptions::Pick::random) {
    std::mt19937_64 random{std::random_device{}()};
    std::shuffle(ids.begin(), ids.end(), random);
  }
  return ids;
}

ChosenSnapshot choose(Session& session, OpenStore& store, const DrillTarget& target, DrillOptions::Pick pick) {
  if (pick == DrillOptions::Pick::reference) return session.find(store, {target.reference, target.series});
  const auto series = series_of(target);
  if (!series) {
    throw Error(ErrorKind::usage, "--random and --oldest choose among the snapshots of a series, and REF names one",
                "give the name of the series");
  }
  std::optional<Error> refused;
  for (const auto& id : candidates(store, *series, pick)) {
    try {
      return session.find(store, {id, series});
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::untrusted) throw;
      refused = e;
    }
  }
  throw Error(*refused);
}

// A pack whose content the snapshot needs and has nowhere else.
const PackRef& pack_to_break(const Manifest& manifest) {
  std::vector<const PackRef*> needed;
  const auto has_spare = [&](const PackRef& ref) {
    return std::any_of(manifest.spare_packs.begin(), manifest.spare_packs.end(),
                       [&](const PackRef& spare) { return spare.logical_id == ref.logical_id; });
  };
  for (const auto& ref : manifest.packs) {
    if (ref.live_bytes != 0 && !has_spare(ref)) needed.push_back(&ref);
  }
  if (needed.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("snapshot {} has no pack that it could not do without", manifest.id.short_hex()));
  }
  std::random_device random;
  return *needed[std::uniform_int_distribution<std::size_t>{0, needed.size() - 1}(random)];
}

// A user who is not root removes nothing from a directory that he may not write, his own or not. Below directory,
// which nobody else may enter.
void make_removable(const fs::path& directory) noexcept {
  std::error_code failed;
  fs::permissions(directory, fs::perms::owner_all, fs::perm_options::add, failed);
  for (fs::directory_iterator at{directory, failed}, end; !failed && at != end; at.increment(failed)) {
    std::error_code unknown;
    if (fs::is_directory(at->symlink_status(unknown)) && !unknown) make_removable(at->path());
  }
}

class DrillRun {
 public:
  DrillRun(Session& session, const DrillTarget& target, const DrillOptions& options)
      : m_session(session), m_target(target), m_options(options) {}

  DrillRun(const DrillRun&) = delete;
  DrillRun& operator=(const DrillRun&) = delete;
  ~DrillRun() {
    if (m_own_scratch) make_removable(m_own_scratch->path());
  }

  DrillReport run() {
    place_scratch();
    const auto began = std::chrono::steady_clock::now();
    OpenStore store = open();
    auto [snapshot, manifest] = choose(m_session, store, m_target, m_options.pick);
    const Nanoseconds listing = std::chrono::steady_clock::now() - began;
    // A passphrase takes no part in what a restore takes.
    if (is_sealed(manifest.seal)) store.repository->keys().load_identities();
    const std::string& series = manifest.record.series;
    m_source = m_target.source != nullptr ? m_target.source : m_session.config().source_of(series);
    DrillReport report;
    report.store = m_target.store;
    report.signer = snapshot.signer;
    if (m_options.chaos) plant(manifest, report);
    std::optional<OpenStore> other;
    if (m_options.record_to) other.emplace(m_session.open(*m_options.record_to, StoreUse::write, m_options.keys));
    Repository& recorder = other ? *other->repository : *store.repository;
    const auto drills = m_options.chaos ? std::vector<StoredDrill>{} : known_drills(series, *store.repository, other);
    DrillRequest request = make_request(manifest, last_passed(drills, manifest.record.cut_point));
    request.listing = listing;
    Context context = m_session.context(store);
    report.record = drill(context, manifest, request);
    if (m_options.record && !m_options.chaos) record(report, recorder);
    return report;
  }

 private:
  void place_scratch() {
    if (m_options.keep) {
      std::error_code unknown;
      if (fs::exists(*m_options.keep, unknown) && !fs::is_empty(*m_options.keep, unknown)) {
        throw Error(ErrorKind::usage, fmt::format("{} is not empty", quote(m_options.keep->native())),
                    "--keep wants a directory that is empty or not there");
      }
      make_directories(*m_options.keep, 0700);
      m_scratch = fs::absolute(*m_options.keep);
    } else {
      m_own_scratch.emplace(m_options.scratch ? *m_options.scratch : m_session.spool());
      m_scratch = fs::absolute(m_own_scratch->path());
    }
  }

  // With an empty cache, as on a machine that has never seen the store.
  OpenStore open() {
    StoreMeans means;
    means.cache = fs::path{};
    means.sign = m_options.record && !m_options.chaos;
    means.decorate = [this](std::unique_ptr<ObjectStore> store) -> std::unique_ptr<ObjectStore> {
      if (m_options.chaos) store = std::make_unique<BrokenStore>(std::move(store), m_damage);
      return std::make_unique<MeteredStore>(std::move(store), m_reading);
    };
    return m_session.open(m_target.store, StoreUse::read, m_options.keys, means);
  }

  void plant(const Manifest& manifest, DrillReport& report) {
    manifest.require_open();
    report.pack = layout::pack_key(pack_to_break(manifest).name);
    report.fault = std::random_device{}() % 2 == 0 ? RehearsedDamage::Fault::lost : RehearsedDamage::Fault::flipped;
    m_damage->plant(report.pack, *report.fault);
  }

  // Those of the store, of the one that has the record, and of this host's state.
  std::vector<StoredDrill> known_drills(const std::string& series, Repository& repository,
                                        std::optional<OpenStore>& other) {
    std::vector<StoredDrill> drills;
    const auto add_listed = [&](Repository& of) {
      const auto failure = every_failure_of([&] {
        for (auto& drill : of.drills().list(series)) drills.push_back(std::move(drill));
      });
      // Who may read snapshots alone can restore, and that is what is rehearsed.
      if (failure) m_session.reporter().warning(fmt::format("earlier drills cannot be read: {}", failure->message()));
    };
    const auto add_kept = [&](Repository& of) {
      for (const auto& object : m_session.state().kept_drills(of.descriptor().store_id)) {
        any_failure_of([&] {
          DrillRecord kept = DrillRecord::parse(object.second, object.first, of.keys());
          // This host's own, in a directory of its own.
          if (kept.series == series) drills.push_back({object.first, kept.time, std::move(kept), true, {}});
        });
      }
    };
    add_listed(repository);
    add_kept(repository);
    if (!other) return drills;
    add_listed(*other->repository);
    add_kept(*other->repository);
    return drills;
  }

  DrillRequest make_request(const Manifest& manifest, const DrillRecord* before) const {
    DrillRequest request;
    request.scratch = m_scratch;
    request.spool = m_session.spool();
    request.reading = m_reading.get();
    request.before = before;
    request.versions = versions();
    HookFacts facts;
    facts.source = m_source != nullptr ? m_source->name : "";
    facts.series = manifest.record.series;
    facts.store = without_secrets(m_target.store);
    facts.snapshot = manifest.id.hex();
    facts.cut_point = format_time(manifest.record.cut_point);
    request.environment = hook_environment(facts);
    if (m_source != nullptr && !m_options.chaos) {
      request.commands = m_source->drill.checks;
      request.timeout = m_source->drill.timeout;
      request.max_recovery = m_source->drill.max_recovery_time;
      request.limits = m_source->drill.limits;
    }
    request.limits.accept = m_options.accept;
    return request;
  }

  // Where it may not be written to the store, it waits for a run that may.
  void record(DrillReport& report, Repository& recorder) {
    const DrillRecord& record = report.record;
    const std::string key = layout::drill_key(record.series, record.time, record.id, random_name());
    const std::string text = recorder.drills().text_of(record);
    report.recorded_in = recorder.store().describe();
    if (const auto failure = every_failure_of([&] { recorder.drills().put(key, text); })) {
      report.lost_record =
          every_failure_of([&] { m_session.state().keep_drill(recorder.descriptor().store_id, key, text); });
      if (report.lost_record) {
        report.lost_record = Error(failure->kind(), fmt::format("unable to record the drill: {}, and it is not kept "
                                                                "here either: {}",
                                                                failure->message(), report.lost_record->message()));
      } else {
        report.kept_because = failure->message();
      }
      return;
    }
    report.recorded_as = key;
    push_kept_drills(m_session.state(), recorder);
  }

  Session& m_session;
  const DrillTarget& m_target;
  const DrillOptions& m_options;
  const SourceConfig* m_source = nullptr;
  std::optional<SpoolDirectory> m_own_scratch;
  fs::path m_scratch;
  std::shared_ptr<BusyClock> m_reading = std::make_shared<BusyClock>();
  std::shared_ptr<RehearsedDamage> m_damage = std::make_shared<RehearsedDamage>();
};

}  // namespace

DrillReport run_drill(Session& session, const DrillTarget& target, const DrillOptions& options) {
  return DrillRun{session, target, options}.run();
}

void push_kept_drills(const LocalState& state, Repository& repository) {
  const std::string& store_id = repository.descriptor().store_id;
  for (const auto& [key, text] : state.kept_drills(store_id)) {
    const auto failure = every_failure_of([&, &key = key, &text = text] { repository.drills().put(key, text); });
    if (failure) {
      repository.reporter().warning(fmt::format("the record of an earlier drill still waits: {}", failure->message()));
      return;
    }
    state.drop_drill(store_id, key);
  }
}

}  // namespace cairn
