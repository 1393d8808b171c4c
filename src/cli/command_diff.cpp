#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "cli/snapshot_job.hpp"
#include "engine/diff/differ.hpp"
#include "engine/inside/looker.hpp"
#include "engine/inside/text_diff.hpp"
#include "repo/entry_text.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <memory>

#include <fmt/format.h>

namespace cairn {

namespace {

// Two of them are in memory at one time.
constexpr std::uint64_t k_longest_text = 64 * k_mib;

class DiffCommand : public Command {
 public:
  std::string name() const override { return "diff"; }
  std::string summary() const override { return "compare two snapshots, or a snapshot and a path"; }
  void declare(OptionSet& options) override {
    m_choice.declare(options);
    options.operand("OTHER", m_other, OptionSet::Required::yes,
                    "what to compare with: a snapshot, or a path (with a '/' or a leading '.')");
    declare_store(options, m_store);
    m_keys.declare(options);
    options.value("--path", "ENTRY", m_path, "of this file of both snapshots: which lines differ");
  }
  ExitStatus run(Session& session) override;

 private:
  ExitStatus compare_file(Session& session) const;
  DiffSummary compare(Session& session, OpenStore& store, const DifferenceSink& sink) const;

  SnapshotChoice m_choice;
  std::optional<std::string> m_other;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
  std::optional<std::string> m_path;
};

// A file of one of the snapshots; nothing where it is not in there.
struct OneFile {
  std::string name = "/dev/null";
  Bytes bytes;
  bool there = false;
};

OneFile read_one(Looker& looker, const Manifest& manifest, const std::string& path) {
  OneFile out;
  try {
    const InsideFile file = looker.open(manifest, path);
    const std::uint64_t size = file.reader->size();
    if (size > k_longest_text) {
      throw Error(ErrorKind::usage,
                  fmt::format("{} is too large to compare its lines: {}", quote(path), format_size(size)),
                  "without --path the command says whether it differs");
    }
    file.reader->expect(0, size);
    out.bytes = file.reader->read_at(0, size);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::not_found) throw;
    return out;
  }
  out.name = fmt::format("{}\t{}@{}", terminal_safe(path), manifest.record.series,
                         format_time_short(manifest.record.cut_point));
  out.there = true;
  return out;
}

void print_line(std::ostream& to, const Difference& difference) {
  const std::string path = terminal_safe(difference.path());
  switch (difference.kind) {
    case Difference::Kind::added:
      to << "+ " << path << '\n';
      return;
    case Difference::Kind::removed:
      to << "- " << path << '\n';
      return;
    case Difference::Kind::changed:
      break;
  }
  std::string what;
  for (const char* each : difference.what) what += (what.empty() ? "" : ", ") + std::string{each};
  to << "M " << path << " (" << what << ")\n";
}

void print_json_line(std::ostream& to, const Difference& difference) {
  static constexpr const char* k_names[] = {"added", "removed", "changed"};
  JsonWriter line = begin_document("diff");
  line.member("change", k_names[static_cast<std::size_t>(difference.kind)]);
  text_member(line, "path", difference.path());
  line.key("what").begin_array();
  for (const char* each : difference.what) line.value(each);
  line.end_array();
  if (difference.before != nullptr) line.key("before").raw("{" + entry_members(*difference.before) + "}");
  if (difference.after != nullptr) line.key("after").raw("{" + entry_members(*difference.after) + "}");
  line.end_object();
  to << line.text() << '\n';
}

void print_summary(Session& session, const DiffSummary& summary) {
  if (!session.json()) {
    session.say(fmt::format("{} added ({}), {} removed ({}), {} changed ({} in content, {}), {} unchanged",
                            summary.added, format_size(summary.bytes_added), summary.removed,
                            format_size(summary.bytes_removed), summary.changed, summary.content_changed,
                            format_size(summary.bytes_changed), summary.unchanged));
    return;
  }
  JsonWriter line = begin_document("diff");
  line.key("summary").begin_object().member("added", summary.added).member("removed", summary.removed);
  line.member("changed", summary.changed).member("content_changed", summary.content_changed);
  line.member("unchanged", summary.unchanged).member("bytes_before", summary.bytes_before);
  line.member("bytes_after", summary.bytes_after).member("bytes_added", summary.bytes_added);
  line.member("bytes_removed", summary.bytes_removed).member("bytes_changed", summary.bytes_changed);
  line.key("errors").begin_array();
  for (const auto& problem : summary.problems) {
    line.begin_object();
    text_member(line, "path", problem.path);
    line.member("message", terminal_safe(problem.message)).end_object();
  }
  line.end_array().end_object();
  session.print(std::move(line));
}

DiffSummary DiffCommand::compare(Session& session, OpenStore& store, const DifferenceSink& sink) const {
  const Manifest before = session.find(store, m_choice).manifest;
  Context context = session.context(store);
  if (!is_path_operand(*m_other)) {
    const Manifest after = session.find(store, {m_other, m_choice.series}).manifest;
    return diff_snapshots(context, before, after, sink);
  }
  refuse_secret(*m_other, "what is given as a path", "the path of a file or directory");
  SourceSpec other = FoundPath{{.path = *m_other, .exclude = {}, .include = {}}};
  std::vector<std::string> stores{session.store_name(m_store)};
  for (const auto& [name, source] : session.config().sources) {
    if (source.series == before.record.series)
      stores.insert(stores.end(), source.push_to.begin(), source.push_to.end());
  }
  leave_out_own(session, other, *store.repository, stores);
  const std::unique_ptr<Source> live = open_source(other);
  return diff_with_source(context, before, *live, sink);
}

ExitStatus DiffCommand::compare_file(Session& session) const {
  if (is_path_operand(*m_other))
    throw Error(ErrorKind::usage, "--path compares a file of two snapshots, and OTHER is a path");
  OpenStore store = session.open(m_store, StoreUse::read, &m_keys);
  const Manifest before = session.find(store, m_choice).manifest;
  const Manifest after = session.find(store, {m_other, m_choice.series}).manifest;
  Context context = session.context(store);
  const Manifest* const both[] = {&before, &after};
  Looker looker{context, both, 2 * k_longest_text};
  const std::string path = entry_path(*m_path);
  const OneFile old = read_one(looker, before, path);
  const OneFile now = read_one(looker, after, path);
  if (!old.there && !now.there) {
    throw Error(ErrorKind::not_found, fmt::format("no file {} in either snapshot", quote(path)),
                "'cairn list REF --files' shows what is in it");
  }
  const bool equal = old.there == now.there && old.bytes == now.bytes;
  const bool binary = looks_binary(old.bytes) || looks_binary(now.bytes);
  std::string text;
  if (!equal && !binary) text = unified_diff(as_text(old.bytes), as_text(now.bytes), old.name, now.name);
  session.reporter().clear_progress();
  if (session.json()) {
    JsonWriter to = begin_document("diff");
    text_member(to, "path", path);
    to.member("equal", equal).member("binary", binary);
    text_member(to, "diff", text);
    session.print(std::move(to));
  } else if (!equal && binary) {
    session.out() << fmt::format("{} differs, and is no text\n", terminal_safe(path));
  } else if (session.io().out_is_terminal) {
    for (const auto line : lines_of(text)) {
      session.out() << terminal_safe(line.substr(0, line.find_last_not_of('\n') + 1)) << '\n';
    }
  } else {
    session.out() << text;
  }
  return ExitStatus::done;
}

ExitStatus DiffCommand::run(Session& session) {
  if (m_path) return compare_file(session);
  OpenStore store = session.open(m_store, StoreUse::read, &m_keys);
  const DiffSummary summary = compare(session, store, [&](const Difference& difference) {
    session.reporter().clear_progress();
    session.json() ? print_json_line(session.out(), difference) : print_line(session.out(), difference);
    session.check_output();
  });
  for (const auto& problem : summary.problems) session.reporter().warning(problem.message);
  print_summary(session, summary);
  return summary.problems.empty() ? ExitStatus::done : ExitStatus::incomplete;
}

}  // namespace

std::unique_ptr<Command> make_diff_command() {
  return std::make_unique<DiffCommand>();
}

}  // namespace cairn
