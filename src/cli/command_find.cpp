#include "capture/exclude.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/series_walk.hpp"
#include "cli/session.hpp"
#include "engine/inside/inside_file.hpp"
#include "engine/inside/path_history.hpp"
#include "engine/inside/path_search.hpp"
#include "repo/entry_text.hpp"
#include "repo/manifest_store.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cairn {

namespace {

// Decoded frames of entry lists that are kept.
constexpr std::uint64_t k_kept = 64 * k_mib;

// find and history: the same, but for how a path is asked for.
class PathCommand : public Command {
 public:
  ExitStatus run(Session& session) override;

 protected:
  virtual const char* operand() const = 0;
  virtual const char* operand_help() const = 0;
  // Error(usage) where it is none.
  virtual PathSearch::Wanted wanted(const std::string& given) const = 0;
  void declare(OptionSet& options) override {
    options.operand(operand(), m_given, OptionSet::Required::yes, operand_help());
    declare_store(options, m_store);
    m_keys.declare(options);
    options.value("--series", "NAME", m_series, "look into snapshots of this series only");
    options.value("--since", "TIME", m_since, "into no snapshot of before");
    options.value("--until", "TIME", m_until, "into no snapshot of after");
  }

 private:
  void look(Session& session, OpenStore& store, const std::string& series, WalkProblems& problems,
            PathHistory& history) const;
  void print_json(Session& session, const std::string& series, const PathHistory::Versions& versions) const;

  std::optional<std::string> m_given;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  std::optional<std::string> m_series;
  std::optional<std::string> m_since;
  std::optional<std::string> m_until;
};

class FindCommand : public PathCommand {
 public:
  std::string name() const override { return "find"; }
  std::string summary() const override { return "find paths in all snapshots, and what became of them"; }

 private:
  const char* operand() const override { return "PATTERN"; }
  const char* operand_help() const override { return "names or paths, as gitignore(5) has them: '*.conf', 'etc/**'"; }
  PathSearch::Wanted wanted(const std::string& given) const override {
    const PatternList patterns{{given}};
    if (given.empty() || given.starts_with('#') || given.starts_with('!')) {
      throw Error(ErrorKind::usage, fmt::format("invalid pattern {}", quote(given)),
                  "write \\# or \\! for a name that begins so");
    }
    return [patterns](const Entry& entry) {
      const auto kind = entry.type == EntryType::directory ? PatternList::Kind::directory : PatternList::Kind::other;
      return entry.path != "." && patterns.matches(entry.path, kind);
    };
  }
};

class HistoryCommand : public PathCommand {
 public:
  std::string name() const override { return "history"; }
  std::string summary() const override { return "show every version that snapshots have of a path"; }

 private:
  const char* operand() const override { return "PATH"; }
  const char* operand_help() const override { return "a path in the snapshots"; }
  PathSearch::Wanted wanted(const std::string& given) const override {
    return [path = entry_path(given)](const Entry& entry) { return entry.path == path; };
  }
};

void PathCommand::look(Session& session, OpenStore& store, const std::string& series, WalkProblems& problems,
                       PathHistory& history) const {
  Context context = session.context(store);
  walk_series(session, store, {series, m_since, m_until}, problems, [&](const std::vector<Manifest>& batch) {
    std::vector<const Manifest*> all;
    for (const Manifest& manifest : batch) all.push_back(&manifest);
    Looker looker{context, all, k_kept};
    PathSearch search{looker, wanted(*m_given)};
    for (const Manifest& manifest : batch) {
      const auto failed = any_failure_of([&] {
        std::vector<Entry> found;
        search.search(manifest, [&](const Entry& entry) { found.push_back(entry); });
        history.begin_snapshot({manifest.id, manifest.record.cut_point});
        for (const Entry& entry : found) history.add(entry);
      });
      if (!failed) continue;
      problems.add(session,
                   fmt::format("snapshot {} of {}: {}", short_id(manifest.id),
                               format_time_short(manifest.record.cut_point), failed->message()),
                   failed->kind() == ErrorKind::damaged ? ExitStatus::damaged : ExitStatus::incomplete);
    }
  });
}

void PathCommand::print_json(Session& session, const std::string& series, const PathHistory::Versions& versions) const {
  for (const auto& [path, all] : versions) {
    for (const PathVersion& version : all) {
      JsonWriter line = begin_document(name());
      line.member("series", series);
      text_member(line, "path", path);
      line.member("type", entry_type_name(version.entry.type)).member("size", version.entry.size);
      line.member("mtime", format_time(version.entry.mtime));
      for (const auto& [key, seen] : {std::pair{"first", &version.first}, std::pair{"last", &version.last}}) {
        line.key(key).begin_object().member("id", seen->id.hex()).member("cut_point", format_time(seen->cut_point));
        line.end_object();
      }
      line.member("snapshots", version.snapshots).member("in_newest", version.in_newest);
      session.print(std::move(line));
      session.check_output();
    }
  }
}

void add_rows(Table& table, const std::string& series, const PathHistory::Versions& versions) {
  for (const auto& [path, all] : versions) {
    for (const PathVersion& version : all) {
      const bool sized = version.entry.type == EntryType::file;
      table.add({path, entry_type_name(version.entry.type), sized ? format_size(version.entry.size) : "-",
                 format_time_short(version.entry.mtime), format_time_short(version.first.cut_point),
                 format_time_short(version.last.cut_point), fmt::format("{}", version.snapshots), series,
                 short_id(version.last.id), version.in_newest ? "" : "gone or changed since"});
    }
  }
}

ExitStatus PathCommand::run(Session& session) {
  wanted(*m_given);
  OpenStore store = session.open(m_store, StoreUse::read, &m_keys);
  std::set<std::string> series;
  if (m_series) {
    series.insert(*m_series);
  } else {
    for (const auto& info : store.repository->manifests().list()) series.insert(info.name.series);
  }
  WalkProblems problems;
  Table table{{{"PATH"},
               {"TYPE"},
               {"SIZE", Table::Align::right},
               {"MODIFIED"},
               {"FIRST SEEN"},
               {"LAST SEEN"},
               {"SNAPSHOTS", Table::Align::right},
               {"SERIES"},
               {"REF"},
               {"NOTE"}}};
  bool any = false;
  for (const auto& one : series) {
    PathHistory history;
    look(session, store, one, problems, history);
    const auto versions = history.versions();
    any = any || !versions.empty();
    session.json() ? print_json(session, one, versions) : add_rows(table, one, versions);
  }
  session.reporter().clear_progress();
  if (!table.empty()) table.print(session.out());
  if (!any && problems.status == ExitStatus::done) {
    throw Error(ErrorKind::not_found, fmt::format("no snapshot that was looked into has {}", quote(*m_given)));
  }
  return problems.status;
}

}  // namespace

std::unique_ptr<Command> make_find_command() {
  return std::make_unique<FindCommand>();
}

std::unique_ptr<Command> make_history_command() {
  return std::make_unique<HistoryCommand>();
}

}  // namespace cairn
