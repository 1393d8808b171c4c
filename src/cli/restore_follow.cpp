#include "cli/restore_follow.hpp"

#include "cli/fallback_stores.hpp"
#include "cli/output.hpp"
#include "cli/run_text.hpp"
#include "cli/snapshot_text.hpp"
#include "engine/choose/reference.hpp"
#include "engine/follow/follow_decision.hpp"
#include "engine/follow/follower.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::chrono::seconds k_interval{30};
constexpr std::chrono::seconds k_least_interval{1};
constexpr std::chrono::hours k_greatest_interval{24};
// So many times as long as a look that failed took, it is left at that.
constexpr int k_rest = 10;
// A signal is seen after so long.
constexpr std::chrono::milliseconds k_pause{100};

std::chrono::nanoseconds interval_of(const std::optional<std::string>& text) {
  if (!text) return k_interval;
  const auto interval = parse_duration(*text);
  if (interval && *interval >= k_least_interval && *interval <= k_greatest_interval) return *interval;
  throw Error(ErrorKind::usage, fmt::format("invalid --interval {}", quote_given(*text)),
              "a time from 1s to 24h, as 30s or 5m");
}

std::string series_of(const SnapshotChoice& choice) {
  const Reference reference = parse_reference(choice.reference.value());
  if (const auto* series = std::get_if<SeriesReference>(&reference)) return series->series;
  if (std::holds_alternative<LatestReference>(reference) && choice.series) return *choice.series;
  throw Error(ErrorKind::usage, fmt::format("unable to follow {}: it is no series", quote_given(*choice.reference)),
              "a series has a newest snapshot: cairn list shows which there are");
}

// Passes a warning on when it was not there the last time: a look at the store every few seconds would say the same
// again and again.
class NewWarnings : public Reporter {
 public:
  explicit NewWarnings(Reporter& to) : m_to(to) {}
  void begin() {
    const std::scoped_lock lock{m_mutex};
    m_before = std::exchange(m_now, {});
  }
  void warning(const std::string& message) override {
    {
      const std::scoped_lock lock{m_mutex};
      if (!m_now.insert(message).second || m_before.contains(message)) return;
    }
    m_to.warning(message);
  }
  void info(const std::string& message) override { m_to.info(message); }
  void progress(const char* what, std::uint64_t done, std::uint64_t total) override {
    m_to.progress(what, done, total);
  }

 private:
  Reporter& m_to;
  std::mutex m_mutex;
  std::set<std::string> m_before;
  std::set<std::string> m_now;
};

// One look at the store, and what came of it.
struct Look {
  FollowOutcome outcome = FollowOutcome::current;
  std::optional<Error> failure;
  std::optional<RestoreResult> result;  // of the snapshot that was put in place
  std::vector<Error> hook_failures;
  std::uint64_t requests = 0;
};

class Following {
 public:
  Following(Session& session, const FollowOptions& options, const FollowMeans& means)
      : m_session(session),
        m_options(options),
        m_means(means),
        m_series(series_of(means.choice)),
        m_interval(interval_of(options.interval)),
        m_warnings(session.reporter()),
        m_follower(state_directory(session), means.request.target, spool(means.request)) {}

  ExitStatus run() {
    const FollowMode mode = m_options.once ? FollowMode::once : FollowMode::on_and_on;
    FollowHistory history;
    for (;;) {
      const auto began = std::chrono::steady_clock::now();
      history.established = m_follower.is_established();
      const Look look = this->look();
      const FollowStep step = decide(mode, history, look.outcome);
      history.last = look.outcome;
      write_status(look);
      if (step.ends && look.failure && !m_session.json()) throw Error(*look.failure);
      tell(look, step);
      if (step.ends) return look.failure ? exit_status(*look.failure) : status_of(look.outcome);
      const auto ended = std::chrono::steady_clock::now();
      auto next = began + m_interval;
      // What failed is tried again, but a large target is not read all the time.
      if (look.failure) next = std::max(next, ended + (ended - began) * k_rest);
      wait_until(next);
    }
  }

 private:
  static fs::path state_directory(Session& session) {
    const fs::path directory = session.state().directory();
    if (!directory.empty()) return directory;
    throw Error(ErrorKind::usage, "unable to follow: there is no directory for this host's state",
                "set CAIRN_STATE_DIR, or state_dir in the configuration");
  }

  static fs::path spool(const RestoreRequest& request) {
    return request.spool.empty() ? temporary_directory() : request.spool;
  }

  static ExitStatus exit_status(const Error& failure) {
    return ExitStatus{exit_status_of(failure.kind(), interrupted_by())};
  }

  void wait_until(std::chrono::steady_clock::time_point next) const {
    for (auto now = std::chrono::steady_clock::now(); now < next; now = std::chrono::steady_clock::now()) {
      check_interrupted();
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(next - now, k_pause));
    }
    check_interrupted();
  }

  Look look() {
    Look look;
    std::uint64_t before = 0;
    try {
      open();
      before = m_store->store->requests();
      look_at_store(look);
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::interrupted) throw;
      // A mistake of the command line or the configuration; nothing was seen yet.
      if (!m_store && e.kind() == ErrorKind::usage) throw;
      look.failure = e;
      look.outcome = outcome_of(e);
      // A store that was there once will be there again; one that never was is a mistake.
      if (!m_store && e.kind() == ErrorKind::not_found) {
        look.outcome = m_follower.is_established() ? FollowOutcome::store_away : FollowOutcome::no_snapshot;
      }
    }
    if (m_store) look.requests = m_store->store->requests() - before;
    return look;
  }

  void open() {
    if (!m_store) m_store.emplace(m_session.open(m_means.store, StoreUse::read, &m_means.keys));
  }

  void look_at_store(Look& look) {
    auto listed = m_store->repository->manifests().list(m_series);
    // Nothing came and nothing went: what was said of it still holds.
    if (m_final && same_listing(listed)) {
      look.outcome = *m_final;
      return;
    }
    m_final.reset();
    m_warnings.begin();
    m_listed = std::move(listed);
    SnapshotChoice choice = m_means.choice;
    choice.series = m_series;
    std::size_t untrusted = 0;
    const ChosenSnapshot chosen =
        find_snapshot(*m_store->repository, choice, m_listed, m_session.io().clock(), m_warnings, &untrusted);
    if (m_follower.in_place() == chosen.info.id) {
      note_in_place(chosen.info);
    } else if (chosen.manifest.record.doubt != Doubt::none && m_follower.is_established()) {
      m_warnings.warning(fmt::format("snapshot {} is in doubt, and is not put in place: {}", short_id(chosen.info.id),
                                     doubt_text(chosen.manifest.record.doubt)));
      look.outcome = FollowOutcome::doubtful;
      m_final = look.outcome;
      return;
    } else {
      apply(chosen, look);
    }
    if (untrusted != 0) look.outcome = FollowOutcome::untrusted;
    m_final = look.outcome == FollowOutcome::applied ? FollowOutcome::current : look.outcome;
  }

  bool same_listing(const std::vector<ManifestInfo>& listed) const {
    return std::equal(listed.begin(), listed.end(), m_listed.begin(), m_listed.end(),
                      [](const ManifestInfo& a, const ManifestInfo& b) {
                        return a.key == b.key && a.size == b.size && a.stored_at == b.stored_at;
                      });
  }

  void note_in_place(const SnapshotInfo& snapshot) {
    m_in_place = snapshot.id;
    m_cut_point = snapshot.record.cut_point;
  }

  void apply(const ChosenSnapshot& chosen, Look& look) {
    Repository& repository = *m_store->repository;
    const Manifest& manifest = chosen.manifest;
    if (is_sealed(manifest.seal)) repository.keys().load_identities();
    if (manifest.record.incomplete) {
      m_warnings.warning(
          fmt::format("snapshot {} is incomplete: {} could not be read when it was taken, and what {} "
                      "has of them goes",
                      short_id(manifest.id), counted(manifest.facts.stats.errors, "path", "paths"),
                      quote(m_means.request.target.native())));
    }
    const Context given = m_session.context(*m_store);
    Context context{given.repository, given.cpu,  given.io,    given.put,
                    m_warnings,       given.host, given.clock, given.steady};
    FallbackStores others{m_session,    repository,  m_session.store_name(m_means.store),
                          m_means.from, chosen.info, m_means.keys};
    RestoreRequest request = m_means.request;
    request.fallback = others.packs();
    RestoreHooks hooks{m_session, chosen.info, m_session.store_name(m_means.store), request.target, m_means.hooks};
    hooks.begin();
    try {
      look.result = m_follower.apply(context, manifest, request, m_listed,
                                     m_options.discard_local ? LocalChanges::discarded : LocalChanges::refused);
    } catch (...) {
      hooks.fail(std::current_exception());
      throw;
    }
    m_session.reporter().clear_progress();
    others.tell(m_warnings);
    note_in_place(chosen.info);
    say_applied(*look.result);
    look.outcome = FollowOutcome::applied;
    if (hooks.end(ExitStatus::done) != ExitStatus::done) look.outcome = FollowOutcome::program_failed;
    look.hook_failures = hooks.failures();
  }

  Nanoseconds lag() const { return m_session.io().clock() - *m_cut_point; }

  void say_applied(const RestoreResult& result) {
    const std::string text = fmt::format("{} is at snapshot {} of {}, cut at {}", m_means.request.target.native(),
                                         short_id(*m_in_place), m_series, format_time_short(*m_cut_point));
    m_session.say(
        fmt::format("{}: {} fetched; lag {}", text, format_size(result.bytes_fetched), format_duration(lag())));
    if (m_session.io().manager) m_session.io().manager->set_status(text);
    m_session.io().out.flush();
  }

  // Of what was applied people were told already.
  void tell(const Look& look, const FollowStep& step) {
    if (step.tell && look.failure) {
      if (m_options.once) {
        m_session.print_error(*look.failure);
      } else {
        m_session.reporter().warning(fmt::format("{}; {}, and the store is looked at every {}", look.failure->message(),
                                                 staying(), format_duration(m_interval)));
      }
    }
    if (step.recovered) m_session.reporter().note("all is well again: " + staying());
    if (!m_session.json()) return;
    if (m_options.once || look.result || step.tell || step.recovered) {
      m_session.print(document(look));
      m_session.io().out.flush();
    }
  }

  std::string staying() const {
    const std::string target = quote(m_means.request.target.native());
    if (!m_in_place) return fmt::format("{} stays as it is", target);
    return fmt::format("{} is at snapshot {}, cut at {}", target, short_id(*m_in_place),
                       format_time_short(*m_cut_point));
  }

  // The caller ends it.
  JsonWriter document(const Look& look) const {
    JsonWriter to = begin_document("follow");
    to.key("id");
    m_in_place ? to.value(m_in_place->hex()) : to.null();
    to.member("series", m_series);
    to.key("cut_point");
    m_cut_point ? to.value(format_time(*m_cut_point)) : to.null();
    to.key("lag_seconds");
    m_cut_point ? to.value(static_cast<std::int64_t>(std::chrono::floor<std::chrono::seconds>(lag()).count()))
                : to.null();
    text_member(to, "target", m_means.request.target.native());
    to.member("outcome", follow_outcome_name(look.outcome));
    to.member("looked_at", format_time(m_session.io().clock())).member("requests", look.requests);
    to.key("result");
    if (look.result) {
      to.begin_object().member("bytes_written", look.result->bytes_written);
      to.member("bytes_fetched", look.result->bytes_fetched).member("bytes_reused", look.result->bytes_reused);
      to.member("deleted", look.result->removed).member("duration_ms", milliseconds(look.result->duration));
      to.end_object();
    } else {
      to.null();
    }
    to.key("error");
    if (look.failure) {
      to.begin_object();
      write_error_members(to, *look.failure);
      to.end_object();
    } else {
      to.null();
    }
    if (!look.hook_failures.empty()) write_hook_failures(to, look.hook_failures);
    return to;
  }

  // The standby matters more than what is told of it.
  void write_status(const Look& look) {
    if (!m_options.status_file) return;
    JsonWriter to = document(look);
    to.end_object();
    const auto failure = any_failure_of([&] { write_file_atomic(*m_options.status_file, as_bytes(to.text() + "\n")); });
    if (failure) m_warnings.warning(failure->message());
  }

  Session& m_session;
  const FollowOptions& m_options;
  const FollowMeans& m_means;
  std::string m_series;
  std::chrono::nanoseconds m_interval;
  NewWarnings m_warnings;
  Follower m_follower;
  std::optional<OpenStore> m_store;
  std::vector<ManifestInfo> m_listed;    // the last time
  std::optional<FollowOutcome> m_final;  // of what was listed then, where another look would be in vain
  std::optional<Digest> m_in_place;
  std::optional<Time> m_cut_point;  // of it
};

}  // namespace

void FollowOptions::declare(OptionSet& options) {
  options.flag("--follow", follow, "keep TARGET at the newest snapshot of a series");
  options.value("--interval", "TIME", interval, "with --follow: look at the store so often, as 30s, the default");
  options.flag("--once", once, "with --follow: look once, for cron");
  options.flag("--discard-local", discard_local, "with --follow: give up what was written at TARGET");
  options.value("--status-file", "FILE", status_file, "with --follow: write there how it goes, as JSON");
}

void FollowOptions::check(const std::vector<std::pair<const char*, bool>>& others) const {
  if (!follow) {
    const std::pair<const char*, bool> own[] = {{"--interval", interval.has_value()},
                                                {"--once", once},
                                                {"--discard-local", discard_local},
                                                {"--status-file", status_file.has_value()}};
    for (const auto& [name, given] : own) {
      if (given) throw Error(ErrorKind::usage, fmt::format("{} needs --follow", name));
    }
    return;
  }
  for (const auto& [name, given] : others) {
    if (given) throw Error(ErrorKind::usage, fmt::format("{} and --follow exclude each other", name));
  }
  if (once && interval) throw Error(ErrorKind::usage, "--once and --interval exclude each other");
}

ExitStatus follow(Session& session, const FollowOptions& options, const FollowMeans& means) {
  return Following{session, options, means}.run();
}

}  // namespace cairn
