#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/query_output.hpp"
#include "cli/series_walk.hpp"
#include "cli/session.hpp"
#include "engine/choose/reference.hpp"
#include "engine/inside/snapshot_query.hpp"
#include "store/counting_store.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto k_default_time = std::chrono::minutes{5};
constexpr std::uint64_t k_default_memory = 256 * k_mib;
constexpr std::uint64_t k_least_memory = 8 * k_mib;
constexpr std::uint64_t k_most_memory = 2 * k_gib - k_mib;
// Of frames: more than several scans have under way.
constexpr std::uint64_t k_least_kept = 192 * k_mib;

struct Attachment {
  std::string schema;
  std::string reference;
};

class QueryCommand : public Command {
 public:
  std::string name() const override { return "query"; }
  std::string summary() const override { return "ask a database in a snapshot with SQL, without restoring it"; }
  void declare(OptionSet& options) override {
    m_choice.declare(options);
    options.operand("SQL", m_sql, OptionSet::Required::yes, "one SELECT, or another statement that only reads");
    declare_store(options, m_store);
    m_keys.declare(options);
    options.value("--path", "ENTRY", m_path, "the database, where the snapshot is a directory");
    options.values("--attach", "NAME=REF", m_attach, "the database of another snapshot, as NAME in SQL");
    options.flag("--each", m_each, "ask every snapshot of the series REF, oldest first");
    options.value("--since", "TIME", m_since, "with --each: no snapshot of before");
    options.value("--until", "TIME", m_until, "with --each: no snapshot of after");
    options.flag("--csv", m_csv, "print comma-separated values");
    options.value("--insert", "TABLE", m_insert, "print the rows as statements that insert them into TABLE");
    options.value("--timeout", "DURATION", m_timeout, "give up after that time for each snapshot; 5m by default");
    options.value("--max-memory", "SIZE", m_max_memory, "SQLite may take so much memory; 256MiB by default");
  }
  ExitStatus run(Session& session) override;

 private:
  // Of snapshots one after the other, for one reason.
  struct Failures {
    std::uint64_t count = 0;
    std::string first;
    std::string reason;
    std::optional<Error> error;
    ExitStatus status = ExitStatus::incomplete;
  };
  struct Asked {
    OpenStore store;
    std::shared_ptr<CountingStore::Bytes64> bytes;
    std::unique_ptr<QueryPrinter> printer;
    QueryLimits limits;
    std::vector<Attachment> attachments;
    std::vector<Manifest> attached;
    std::uint64_t rows = 0;
    std::uint64_t snapshots = 0;
    WalkProblems problems;
    Failures failures;
  };
  void check_options(const Session& session) const;
  QueryForm form(Session& session) const;
  QueryLimits limits() const;
  std::vector<Attachment> attachments() const;
  std::string series_asked(Session& session, OpenStore& store) const;
  void ask(Asked& asked, Looker& looker, const Manifest& manifest) const;
  void ask_one(Session& session, Asked& asked) const;
  void ask_each(Session& session, Asked& asked) const;
  void ask_batch(Session& session, Asked& asked, const std::vector<Manifest>& manifests) const;
  static void tell_failures(Session& session, Asked& asked);

  SnapshotChoice m_choice;
  std::optional<std::string> m_sql;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  std::optional<std::string> m_path;
  std::vector<std::string> m_attach;
  bool m_each = false;
  std::optional<std::string> m_since;
  std::optional<std::string> m_until;
  bool m_csv = false;
  std::optional<std::string> m_insert;
  std::optional<std::string> m_timeout;
  std::optional<std::string> m_max_memory;
};

void QueryCommand::check_options(const Session& session) const {
  if (m_csv && m_insert) throw Error(ErrorKind::usage, "--csv and --insert are two forms of one answer: give one");
  if (session.json() && (m_csv || m_insert)) {
    throw Error(ErrorKind::usage,
                fmt::format("--json and {} are two forms of one answer: give one", m_csv ? "--csv" : "--insert"));
  }
  if (m_each && m_insert) throw Error(ErrorKind::usage, "--insert takes the rows of one snapshot, not of --each");
  if (!m_each && (m_since || m_until)) {
    throw Error(ErrorKind::usage, fmt::format("{} is for --each", m_since ? "--since" : "--until"));
  }
}

QueryForm QueryCommand::form(Session& session) const {
  if (session.json()) return {.kind = QueryForm::Kind::json};
  if (m_insert) return {.kind = QueryForm::Kind::insert, .table = *m_insert};
  if (m_csv) return {.kind = QueryForm::Kind::csv, .for_terminal = session.io().out_is_terminal};
  return {};
}

QueryLimits QueryCommand::limits() const {
  QueryLimits limits{.time = k_default_time, .memory = k_default_memory};
  if (m_timeout) {
    const auto time = parse_duration(*m_timeout);
    if (!time || *time <= Nanoseconds{0}) {
      throw Error(ErrorKind::usage, fmt::format("invalid duration {} of --timeout", quote(*m_timeout)),
                  "write it as 30s, 5m or 1h30m");
    }
    limits.time = std::chrono::ceil<std::chrono::milliseconds>(*time);
  }
  if (m_max_memory) {
    const auto memory = parse_size(*m_max_memory);
    if (!memory || *memory < k_least_memory || *memory > k_most_memory) {
      throw Error(ErrorKind::usage, fmt::format("invalid size {} of --max-memory", quote(*m_max_memory)),
                  fmt::format("write a size from {} to {}, as 512MiB", format_size(k_least_memory),
                              format_size(k_most_memory)));
    }
    limits.memory = *memory;
  }
  return limits;
}

std::vector<Attachment> QueryCommand::attachments() const {
  std::vector<Attachment> out;
  std::set<std::string> names{"main", "temp"};
  for (const auto& given : m_attach) {
    const auto equals = given.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == given.size()) {
      throw Error(ErrorKind::usage, fmt::format("invalid --attach {}", quote(given)),
                  "write it as NAME=REF: the snapshot REF as NAME in SQL");
    }
    Attachment one{given.substr(0, equals), given.substr(equals + 1)};
    if (!names.insert(one.schema).second) {
      throw Error(ErrorKind::usage, fmt::format("there are two databases with the name {}", quote(one.schema)));
    }
    out.push_back(std::move(one));
  }
  if (out.size() >= sqlite::k_most_databases) {
    throw Error(ErrorKind::usage, fmt::format("a query takes at most {} databases", sqlite::k_most_databases));
  }
  return out;
}

void QueryCommand::ask(Asked& asked, Looker& looker, const Manifest& manifest) const {
  std::vector<QueryTarget> targets{{"main", &manifest, m_path}};
  for (std::size_t i = 0; i < asked.attached.size(); ++i) {
    const Manifest& other = asked.attached[i];
    // One that is a single file has no path to it.
    targets.push_back({asked.attachments[i].schema, &other, other.facts.single_file ? std::nullopt : m_path});
  }
  if (manifest.facts.single_file && !asked.attached.empty()) targets.front().path.reset();
  const RowOrigin origin{manifest.id.hex(), format_time(manifest.record.cut_point)};
  const RowOrigin* const shown = m_each ? &origin : nullptr;
  const sqlite::QuerySink sink{
      .columns = [&](const std::vector<std::string>& names) { asked.printer->columns(names, shown); },
      .row =
          [&](const sqlite::SqlRow& row) {
            asked.printer->row(row, shown);
            ++asked.rows;
          },
  };
  query_snapshots(looker, *m_sql, targets, asked.limits, sink);
  ++asked.snapshots;
}

void QueryCommand::ask_one(Session& session, Asked& asked) const {
  const Manifest manifest = session.find(asked.store, m_choice).manifest;
  Context context = session.context(asked.store);
  std::vector<const Manifest*> all{&manifest};
  for (const Manifest& other : asked.attached) all.push_back(&other);
  Looker looker{context, all, std::max(asked.limits.memory, k_least_kept)};
  ask(asked, looker, manifest);
}

std::string QueryCommand::series_asked(Session& session, OpenStore& store) const {
  const Reference reference = parse_reference(*m_choice.reference);
  if (const auto* const series = std::get_if<SeriesReference>(&reference)) {
    if (m_choice.series && *m_choice.series != series->series) {
      throw Error(ErrorKind::usage,
                  fmt::format("REF and --series name two series: {} and {}", series->series, quote(*m_choice.series)));
    }
    return series->series;
  }
  if (!std::holds_alternative<LatestReference>(reference)) {
    throw Error(ErrorKind::usage,
                fmt::format("{} is one snapshot, and --each takes a series", quote(*m_choice.reference)),
                "name the series, and --since and --until where it is not to be all of it");
  }
  if (m_choice.series) return *m_choice.series;
  // Which series there is, where there is one.
  return session.find(store, m_choice).manifest.record.series;
}

void QueryCommand::ask_batch(Session& session, Asked& asked, const std::vector<Manifest>& manifests) const {
  if (manifests.empty()) return;
  std::vector<const Manifest*> all;
  for (const Manifest& manifest : manifests) all.push_back(&manifest);
  for (const Manifest& other : asked.attached) all.push_back(&other);
  Context context = session.context(asked.store);
  Looker looker{context, all, std::max(asked.limits.memory, k_least_kept)};
  for (const Manifest& manifest : manifests) {
    bool forbidden = false;
    std::string reason;
    const auto failed = any_failure_of([&] {
      try {
        ask(asked, looker, manifest);
      } catch (const sqlite::QueryError& e) {
        forbidden = e.cause() == sqlite::QueryError::Cause::forbidden;
        reason = e.reason();
        throw;
      }
    });
    if (!failed) {
      tell_failures(session, asked);
      continue;
    }
    // It would be so of every other one: what nobody reads any more, too.
    session.check_output();
    if (forbidden) throw Error(*failed);
    // A snapshot of before a table was there has no answer; others may have one.
    if (reason.empty()) reason = failed->message();
    if (asked.failures.count != 0 && asked.failures.reason != reason) tell_failures(session, asked);
    if (asked.failures.count++ == 0) {
      asked.failures.first =
          fmt::format("snapshot {} of {}", short_id(manifest.id), format_time_short(manifest.record.cut_point));
      asked.failures.reason = reason;
      asked.failures.error = failed;
    }
    const bool damaged = failed->kind() == ErrorKind::damaged;
    asked.failures.status = gravest(asked.failures.status, damaged ? ExitStatus::damaged : ExitStatus::incomplete);
  }
}

// One line for all that one after the other failed for the same reason.
void QueryCommand::tell_failures(Session& session, Asked& asked) {
  const Failures failures = std::exchange(asked.failures, {});
  if (failures.count == 0) return;
  const std::string more = failures.count == 1 ? "" : fmt::format(" and {} after it", failures.count - 1);
  asked.problems.add(session, fmt::format("{}{}: {}", failures.first, more, failures.reason), failures.status);
}

void QueryCommand::ask_each(Session& session, Asked& asked) const {
  const SeriesWalk walk{series_asked(session, asked.store), m_since, m_until};
  walk_series(session, asked.store, walk, asked.problems,
              [&](const std::vector<Manifest>& batch) { ask_batch(session, asked, batch); });
  // All say the same.
  if (asked.snapshots == 0 && asked.problems.messages.empty() && asked.failures.error)
    throw Error(*asked.failures.error);
  tell_failures(session, asked);
}

ExitStatus QueryCommand::run(Session& session) {
  check_options(session);
  const auto begun = Clock::now();
  Asked asked;
  asked.limits = limits();
  asked.attachments = attachments();
  asked.printer = make_query_printer(form(session), session.out(), [&] {
    session.reporter().clear_progress();
    session.check_output();
  });
  asked.bytes = std::make_shared<CountingStore::Bytes64>(0);
  StoreMeans means;
  means.decorate = [&](std::unique_ptr<ObjectStore> store) {
    return std::make_unique<CountingStore>(std::move(store), asked.bytes);
  };
  asked.store = session.open(session.store_name(m_store), StoreUse::read, &m_keys, means);
  for (const auto& attachment : asked.attachments) {
    asked.attached.push_back(session.find(asked.store, {attachment.reference, m_choice.series}).manifest);
  }
  m_each ? ask_each(session, asked) : ask_one(session, asked);
  asked.printer->finish();
  const std::uint64_t requests = asked.store.store->requests();
  session.reporter().info(fmt::format("{} of {} in {}, with {} for {}", counted(asked.rows, "row", "rows"),
                                      counted(asked.snapshots, "snapshot", "snapshots"),
                                      format_duration(Clock::now() - begun), counted(requests, "request", "requests"),
                                      format_size(*asked.bytes)));
  if (!session.json()) return asked.problems.status;
  JsonWriter line = begin_document("query");
  line.key("summary").begin_object().member("rows", asked.rows).member("snapshots", asked.snapshots);
  line.member("requests", requests).member("bytes_fetched", asked.bytes->load());
  line.member("duration_ms", milliseconds(Clock::now() - begun)).key("errors").begin_array();
  for (const auto& problem : asked.problems.messages) line.value(terminal_safe(problem));
  line.end_array().end_object();
  session.print(std::move(line));
  return asked.problems.status;
}

}  // namespace

std::unique_ptr<Command> make_query_command() {
  return std::make_unique<QueryCommand>();
}

}  // namespace cairn
