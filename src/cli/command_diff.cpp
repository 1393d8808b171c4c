#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "cli/snapshot_job.hpp"
#include "engine/diff/differ.hpp"
#include "repo/entry_text.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <memory>

#include <fmt/format.h>

namespace cairn {

namespace {

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
  }
  ExitStatus run(Session& session) override;

 private:
  DiffSummary compare(Session& session, OpenStore& store, const DifferenceSink& sink) const;

  SnapshotChoice m_choice;
  std::optional<std::string> m_other;
  std::optional<std::string> m_store;
  KeyOptions m_keys;
};

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

ExitStatus DiffCommand::run(Session& session) {
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
