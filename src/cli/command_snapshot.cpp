#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/push_text.hpp"
#include "cli/session.hpp"
#include "cli/snapshot_job.hpp"
#include "cli/snapshot_text.hpp"
#include "engine/choose/reference.hpp"
#include "engine/snapshot/snapshotter.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn {

namespace {

// One source's outcome: a result, or why there is none.
struct Outcome {
  std::string series;
  std::string source;  // named in messages; empty where there is only one
  std::optional<SnapshotResult> result;
  struct Push {
    std::string store;
    std::optional<PushResult> result;
    std::optional<Error> failure;
  };
  std::vector<Push> pushes;
  std::optional<Error> failure;
};

// Where snapshots are put.
struct Place {
  std::optional<OpenStore> store;
  std::optional<Error> failure;  // it could not be opened, or failed since: so do all that are still to be put there
};

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
  std::vector<SnapshotJob> plan(Session& session) const;
  std::vector<SnapshotJob> configured_jobs(Session& session) const;
  SnapshotJob path_job() const;
  SnapshotJob command_job() const;
  std::map<std::string, Place> open_stores(Session& session, const std::vector<SnapshotJob>& jobs) const;
  Outcome take(Session& session, OpenStore& store, SnapshotJob job) const;
  Outcome take_one_of_several(Session& session, Place& place, const SnapshotJob& job) const;
  void push_all(Session& session, OpenStore& from, const SnapshotJob& job, Outcome& outcome) const;
  SnapshotRequest request_for(Session& session, const SnapshotJob& job) const;
  SizeGuard guard_for(const SnapshotJob& job) const;

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
  SnapshotJob job;
  job.kind = SnapshotJob::Kind::command;
  job.name = job.series = *m_series;
  job.command.stages = {m_command};
  job.command.file_name = *m_series;
  // As in "pg_dump | cairn snapshot --series db -- cat". Configured commands run unattended, one after another.
  job.command.inherits_input = true;
  return job;
}

SnapshotJob SnapshotCommand::path_job() const {
  refuse_secret(m_operands.front(), "what is given as a path", "the path of a file or directory");
  SnapshotJob job;
  job.directory.path = m_operands.front();
  job.directory.exclude = m_exclude;
  if (m_one_file_system) job.directory.one_file_system = WalkOptions::OneFileSystem::yes;
  if (m_reread) job.directory.reread = DirectoryOptions::Reread::yes;
  job.sqlite.assume_local = m_assume_local;
  job.series_defaulted = !m_series;
  job.name = job.series = m_series ? *m_series : series_of_path(job.directory.path);
  return job;
}

SnapshotRequest SnapshotCommand::request_for(Session& session, const SnapshotJob& job) const {
  SnapshotRequest request;
  request.series = job.series;
  request.series_defaulted = job.series_defaulted;
  request.guard = guard_for(job);
  request.tags = parse_tags(m_tags);
  request.tags.insert(job.tags.begin(), job.tags.end());  // those of the command line win
  request.spool = session.spool();
  request.spool_limit = session.spool_limit();
  request.reread = m_reread;
  request.dry_run = m_dry_run ? DryRun::yes : DryRun::no;
  request.signing_key = session.signing_key();
  return request;
}

// What the command line says goes before what the configuration does.
SizeGuard SnapshotCommand::guard_for(const SnapshotJob& job) const {
  SizeGuard guard = job.guard;
  if (m_allow_empty) guard.allow_empty = true;
  if (!m_max_drop) return guard;
  guard.max_drop = parse_percentage(*m_max_drop);
  if (!guard.max_drop) {
    throw Error(ErrorKind::usage, fmt::format("invalid value {} of --max-drop", quote(*m_max_drop)),
                "it is a percentage from 0% to 100%");
  }
  return guard;
}

void write_result(JsonWriter& to, const SnapshotResult& result, DryRun dry_run) {
  const SnapshotStats& stats = result.stats;
  to.key("id");
  dry_run == DryRun::yes ? to.null() : to.value(result.id.hex());
  to.member("series", result.series).member("cut_point", format_time(result.cut_point));
  to.member("files", stats.files).member("bytes", stats.bytes).member("new_bytes", stats.new_bytes);
  to.member("stored_bytes", stats.stored_bytes).member("packs_written", stats.packs_written);
  to.member("duration_ms", milliseconds(result.duration)).member("dry_run", dry_run == DryRun::yes);
  to.key("content").raw("{" + result.content_facts + "}");
  to.member("incomplete", result.incomplete);
  write_doubt(to, result.doubt);
  to.key("errors").begin_array();
  for (const auto& problem : result.problems) {
    to.begin_object();
    text_member(to, "path", problem.path);
    to.member("message", terminal_safe(problem.message)).end_object();
  }
  to.end_array();
}

std::string state_text(const SnapshotResult& result) {
  if (result.doubt != Doubt::none) return fmt::format(", IN DOUBT: {}", doubt_name(result.doubt));
  return result.incomplete ? ", INCOMPLETE" : "";
}

void print_for_people(Session& session, const SnapshotResult& result, DryRun dry_run) {
  const SnapshotStats& stats = result.stats;
  session.say(dry_run == DryRun::yes
                  ? fmt::format("would take a snapshot of {}", result.series)
                  : fmt::format("took snapshot {} of {}, cut at {}{}", short_id(result.id), result.series,
                                format_time_short(result.cut_point), state_text(result)));
  session.say(fmt::format("  {}, {}; new {}, {} {}; {}", counted(stats.files, "file", "files"),
                          format_size(stats.bytes), format_size(stats.new_bytes),
                          dry_run == DryRun::yes ? "to be stored as" : "stored as", format_size(stats.stored_bytes),
                          format_duration(result.duration)));
}

void write_pushes(JsonWriter& to, const Outcome& outcome) {
  if (outcome.pushes.empty()) return;
  to.key("pushes").begin_array();
  for (const auto& push : outcome.pushes) {
    to.begin_object().member("store", push.store);
    if (push.result) {
      write_push_members(to, *push.result);
    } else {
      to.key("error").begin_object();
      write_error_members(to, *push.failure);
      to.end_object();
    }
    to.end_object();
  }
  to.end_array();
}

// How far apart the states lie that several snapshots hold.
std::optional<std::chrono::nanoseconds> cut_point_spread(const std::vector<Outcome>& outcomes) {
  std::optional<Time> first;
  std::optional<Time> last;
  for (const auto& outcome : outcomes) {
    if (!outcome.result) continue;
    const Time at = outcome.result->cut_point;
    first = std::min(first.value_or(at), at);
    last = std::max(last.value_or(at), at);
  }
  if (!first || outcomes.size() < 2) return std::nullopt;
  return *last - *first;
}

void print_json(Session& session, const std::vector<Outcome>& outcomes, DryRun dry_run) {
  JsonWriter to = begin_document("snapshot");
  if (outcomes.size() == 1) {
    write_result(to, *outcomes.front().result, dry_run);
    write_pushes(to, outcomes.front());
    session.print(std::move(to));
    return;
  }
  to.key("results").begin_array();
  for (const auto& outcome : outcomes) {
    to.begin_object();
    if (outcome.result) {
      write_result(to, *outcome.result, dry_run);
      write_pushes(to, outcome);
    } else {
      to.member("series", outcome.series).key("error").begin_object();
      write_error_members(to, *outcome.failure);
      to.end_object();
    }
    to.end_object();
  }
  to.end_array();
  if (const auto spread = cut_point_spread(outcomes)) to.member("cut_point_spread_ms", milliseconds(*spread));
  session.print(std::move(to));
}

// The gravest outcome: a failure, then what is not where it should be, then what is incomplete.
ExitStatus status_of(const std::vector<Outcome>& outcomes) {
  ExitStatus status = ExitStatus::done;
  for (const auto& outcome : outcomes) {
    if (outcome.failure) return ExitStatus{exit_status_of(outcome.failure->kind(), 0)};
    if (outcome.result->incomplete && status == ExitStatus::done) status = ExitStatus::incomplete;
    for (const auto& push : outcome.pushes) {
      if (push.failure || push_status(*push.result) != ExitStatus::done) status = ExitStatus::not_pushed;
    }
  }
  return status;
}

std::vector<SnapshotJob> SnapshotCommand::configured_jobs(Session& session) const {
  if (m_series) {
    throw Error(ErrorKind::usage, "--series does not go with configured sources",
                "their series are in the configuration; a path has a '/' in it, and a command, whose output is taken, "
                "stands after '--'");
  }
  std::vector<SnapshotJob> jobs;
  for (const SourceConfig* source : session.config().select_sources(m_operands)) {
    SnapshotJob job = job_of(*source);
    job.directory.exclude.insert(job.directory.exclude.end(), m_exclude.begin(), m_exclude.end());
    if (m_one_file_system) job.directory.one_file_system = WalkOptions::OneFileSystem::yes;
    if (m_reread) job.directory.reread = DirectoryOptions::Reread::yes;
    if (m_assume_local) job.sqlite.assume_local = true;
    jobs.push_back(std::move(job));
  }
  return jobs;
}

std::vector<SnapshotJob> SnapshotCommand::plan(Session& session) const {
  if (!m_command.empty()) return {command_job()};
  if (m_operands.empty()) {
    throw Error(ErrorKind::usage, "nothing to take a snapshot of",
                "name a configured source, or a path with a '/' in it");
  }
  if (std::none_of(m_operands.begin(), m_operands.end(), is_path_operand)) return configured_jobs(session);
  if (m_operands.size() > 1) {
    throw Error(ErrorKind::usage, "a path is captured alone",
                "give one path a run, or name several sources in the configuration");
  }
  return {path_job()};
}

// Which of several sources it is about.
Error of_source(const Error& error, const std::string& source) {
  if (source.empty()) return error;
  return {error.kind(), fmt::format("source {}: {}", quote(source), error.message()), error.hint()};
}

// Those without a store to push to are captured all the same, as long as there is one with.
void check_push(Session& session, const std::vector<SnapshotJob>& jobs) {
  std::vector<std::string> without;
  for (const auto& job : jobs) {
    if (job.push_to.empty()) without.push_back(quote(job.name));
  }
  if (without.empty()) return;
  const std::string names =
      fmt::format("{} {} no push_to", fmt::join(without, ", "), without.size() == 1 ? "has" : "have");
  if (without.size() == jobs.size()) {
    throw Error(ErrorKind::usage, "nowhere to push to: " + names,
                "--push goes with configured sources that have push_to; else: cairn push --from STORE --to STORE");
  }
  session.reporter().warning(fmt::format("{}, and {} not pushed", names, without.size() == 1 ? "is" : "are"));
}

// The number of the newest snapshot of the series that this host took.
std::uint64_t noted_sequence(Session& session, const Repository& repository, const std::string& series) {
  try {
    return session.state().last_sequence(repository.descriptor().store_id, series);
  } catch (const Error& e) {
    session.reporter().info(fmt::format("unable to read the number of the last snapshot: {}", e.message()));
    return 0;
  }
}

// Where no snapshot of that number or a newer one is found that this one follows on: what can be said of it. Another
// run of this host that overlapped with one before may have given the newest snapshot a lower number.
std::optional<std::string> missed(Repository& repository, std::uint64_t sequence, const SnapshotResult& result) {
  std::vector<std::string> unreadable;
  bool untrusted = false;
  for (const auto& snapshot : repository.manifests().list_snapshots(result.series, &unreadable)) {
    if (snapshot.id == result.id || snapshot.record.sequence < sequence) continue;
    if (snapshot.trusted) return std::nullopt;
    untrusted = true;
  }
  const char* found = !unreadable.empty() ? "among what can be read of the store"
                      : untrusted         ? "in the store with the signature of a trusted key"
                                          : "in the store";
  return fmt::format(
      "snapshot number {} of series {}, which this host took, is not {} any more, nor any newer one: unless it was "
      "removed on purpose, find out how it went",
      sequence, quote(result.series), found);
}

// Whoever can delete from the store can take away the newest snapshots, and nothing in the store would tell: the next
// one follows on those that are left. This host remembers. noted: what it did before the run listed the store; what
// another run noted since is newer than that listing, and proves nothing.
void note_sequence(Session& session, Repository& repository, const SnapshotResult& result, std::uint64_t noted) {
  try {
    const LocalState state = session.state();
    const std::string& store_id = repository.descriptor().store_id;
    const auto warning = noted >= result.sequence ? missed(repository, noted, result) : std::nullopt;
    if (warning) {
      session.reporter().warning(*warning);
      // Said once: from here on it counts from what is there.
      return state.set_last_sequence(store_id, result.series, result.sequence);
    }
    const std::uint64_t now = state.last_sequence(store_id, result.series);
    if (result.sequence > now) state.set_last_sequence(store_id, result.series, result.sequence);
  } catch (const Error& e) {
    session.reporter().info(fmt::format("unable to note the number of the snapshot: {}", e.message()));
  }
}

Outcome SnapshotCommand::take(Session& session, OpenStore& store, SnapshotJob job) const {
  Outcome outcome;
  outcome.series = job.series;
  std::vector<std::string> stores = job.push_to;
  stores.push_back(session.store_name(m_store, job.store));
  leave_out_own(session, job, *store.repository, stores);
  job.sqlite.staging_parent = job.directory.sqlite.staging_parent = session.spool();
  const std::uint64_t noted = noted_sequence(session, *store.repository, job.series);
  {
    const std::unique_ptr<Source> source = open_source(job);
    Context context = session.context(store);
    SnapshotRequest request = request_for(session, job);
    request.own_key_since = store.own_key_since;
    request.taken_before = noted != 0;
    outcome.result = take_snapshot(context, *source, request);
    // The engine warned of what it could not read itself; the rest is known to the source.
    for (const auto& problem : source->problems()) session.reporter().warning(problem.message);
    // A minimum size would have refused it; without, it may be meant to be so.
    const bool told = outcome.result->doubt != Doubt::none || request.guard.allow_empty;
    if (job.kind == SnapshotJob::Kind::command && outcome.result->stats.bytes == 0 && !told) {
      session.reporter().warning(fmt::format("the command of series {} wrote nothing", quote(job.series)));
    }
  }  // the source is let go
  session.reporter().clear_progress();
  if (!m_dry_run) {
    session.note_change(fmt::format("snapshot {} of {} was committed", short_id(outcome.result->id), outcome.series));
    note_sequence(session, *store.repository, *outcome.result, noted);
  }
  return outcome;
}

// What fails with one source, or with the store that it goes to, does not keep the others from being saved. A signal
// ends them all.
Outcome SnapshotCommand::take_one_of_several(Session& session, Place& place, const SnapshotJob& job) const {
  Outcome outcome;
  outcome.series = job.series;
  try {
    if (place.failure) throw Error{*place.failure};
    outcome = take(session, *place.store, job);
  } catch (const StoreError& e) {
    outcome.failure = place.failure = e;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::interrupted) throw;
    outcome.failure = e;
  }
  outcome.source = job.name;
  return outcome;
}

// What is committed here stays committed: a push that fails is reported, and made up for by the next one, which takes
// all that is newer than the target's newest. The snapshot itself goes there in any case: another run that began later,
// or a clock that was wrong once, may have put a newer one there.
void SnapshotCommand::push_all(Session& session, OpenStore& from, const SnapshotJob& job, Outcome& outcome) const {
  for (const auto& name : job.push_to) {
    Outcome::Push done;
    done.store = name;
    try {
      OpenStore to = session.open(name, Access::write);
      Context source = session.context(from);
      Context target = session.context(to);
      PushRequest request;
      request.series = job.series;
      request.snapshots = {outcome.result->id};
      request.spool = session.spool();
      done.result = push(source, target, request);
      note_push(session, *done.result, name);
      if (!session.json()) print_push(session, *done.result, name);
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::interrupted) throw;
      session.print_error(of_source(e, outcome.source));
      done.failure = e;
    }
    outcome.pushes.push_back(std::move(done));
  }
}

// Each once, and all before anything is read: the cut points of several sources shall lie close together.
std::map<std::string, Place> SnapshotCommand::open_stores(Session& session,
                                                          const std::vector<SnapshotJob>& jobs) const {
  std::map<std::string, Place> places;
  for (const auto& job : jobs) {
    const std::string name = session.store_name(m_store, job.store);
    const auto [at, is_new] = places.try_emplace(name);
    if (!is_new) continue;
    try {
      at->second.store = session.open(name, Access::write);
    } catch (const Error& e) {
      if (jobs.size() == 1 || e.kind() == ErrorKind::interrupted) throw;
      at->second.failure = e;
    }
  }
  return places;
}

ExitStatus SnapshotCommand::run(Session& session) {
  parse_tags(m_tags);  // before anything is read
  guard_for({});
  const auto jobs = plan(session);
  if (m_push && m_dry_run) throw Error(ErrorKind::usage, "--push and --dry-run exclude each other");
  if (m_push) check_push(session, jobs);
  for (const auto& job : jobs) check_series(job.series);
  auto places = open_stores(session, jobs);
  const DryRun dry_run = m_dry_run ? DryRun::yes : DryRun::no;

  std::vector<Outcome> outcomes;
  for (const auto& job : jobs) {
    Place& place = places.at(session.store_name(m_store, job.store));
    outcomes.push_back(jobs.size() == 1 ? take(session, *place.store, job) : take_one_of_several(session, place, job));
    Outcome& last = outcomes.back();
    if (last.failure) session.print_error(of_source(*last.failure, last.source));
    if (last.result && !session.json()) print_for_people(session, *last.result, dry_run);
    if (last.result && m_push) push_all(session, *place.store, job, last);
  }
  if (session.json()) {
    print_json(session, outcomes, dry_run);
  } else if (const auto spread = cut_point_spread(outcomes)) {
    session.say(fmt::format("cut points lie {} apart", format_duration(*spread)));
  }
  return status_of(outcomes);
}

}  // namespace

std::unique_ptr<Command> make_snapshot_command() {
  return std::make_unique<SnapshotCommand>();
}

}  // namespace cairn
