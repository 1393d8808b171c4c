#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/prune_text.hpp"
#include "engine/choose/reference.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

class PruneCommand : public Command {
 public:
  std::string name() const override { return "prune"; }
  std::string summary() const override { return "remove what the retention does not keep, and what nothing needs"; }
  void declare(OptionSet& options) override {
    declare_store(options, m_store);
    options.value("--series", "NAME", m_series, "only the snapshots of this series");
    for (auto& rule : m_counts) {
      options.value(rule.option, "N", rule.text, fmt::format("keep the newest snapshot of {}", rule.of));
    }
    options.value("--keep-within", "TIME", m_within, "keep what is at most so much older than the newest, as 7d");
    options.value("--grace", "TIME", m_grace, "how long a pack stays after nothing needs it; 7d by default");
    options.flag("--apply", m_apply, "do it: without, the plan is printed and nothing is changed");
    options.flag("--undo", m_undo, "put back what the newest prune or forget removed");
    options.values("--set-aside", "OBJECT", m_set_aside,
                   "give up this manifest, mark or pending record, which cannot be read or is lost");
    options.flag("--exclusive", m_exclusive, "nobody else uses the store now: allows a grace below an hour");
    options.flag("--clock-ok", m_clock_ok, "the store's clock is right, however it looks");
  }
  Patience patience() const override { return Patience::job; }
  ExitStatus run(Session& session) override;

 private:
  struct CountRule {
    const char* option;
    const char* of;
    std::optional<std::uint32_t> RetentionPolicy::*field;
    std::optional<std::string> text = {};
  };

  std::optional<RetentionPolicy> policy_of_flags(const Config& config) const;
  PruneRequest request(const Config& config) const;
  void check_undo() const;
  ExitStatus undo(Session& session, Context& context) const;

  std::optional<std::string> m_store;
  std::optional<std::string> m_series;
  std::vector<CountRule> m_counts{
      {"--keep-last", "the N newest snapshots", &RetentionPolicy::keep_last},
      {"--keep-hourly", "each of the N newest hours that have one", &RetentionPolicy::keep_hourly},
      {"--keep-daily", "each of the N newest days that have one", &RetentionPolicy::keep_daily},
      {"--keep-weekly", "each of the N newest weeks that have one", &RetentionPolicy::keep_weekly},
      {"--keep-monthly", "each of the N newest months that have one", &RetentionPolicy::keep_monthly},
      {"--keep-yearly", "each of the N newest years that have one", &RetentionPolicy::keep_yearly},
  };
  std::optional<std::string> m_within;
  std::optional<std::string> m_grace;
  std::vector<std::string> m_set_aside;
  bool m_apply = false;
  bool m_undo = false;
  bool m_exclusive = false;
  bool m_clock_ok = false;
};

std::uint32_t parse_count(const char* option, const std::string& text) {
  std::uint32_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc{} || stop != end) {
    throw Error(ErrorKind::usage, fmt::format("invalid value {} of {}", quote_given(text), option),
                "it is a number, 0 or more");
  }
  return value;
}

// Flags replace the policy of the configuration; they say nothing of which series they mean, so --series has to.
std::optional<RetentionPolicy> PruneCommand::policy_of_flags(const Config& config) const {
  RetentionPolicy policy;
  policy.time_zone = config.time_zone;
  bool given = m_within.has_value();
  if (m_within) policy.keep_within = parse_keep_within(*m_within);
  for (const auto& rule : m_counts) {
    if (!rule.text) continue;
    given = true;
    policy.*rule.field = parse_count(rule.option, *rule.text);
  }
  if (!given) return std::nullopt;
  if (!m_series) {
    throw Error(ErrorKind::usage, "--keep flags need --series NAME",
                "they replace the policy of one series; policies of all series belong into the configuration");
  }
  if (!policy.has_rule())
    throw Error(ErrorKind::usage, "the --keep flags keep nothing", "cairn forget removes snapshots by name");
  return policy;
}

PruneRequest PruneCommand::request(const Config& config) const {
  PruneRequest request;
  const auto flags = policy_of_flags(config);
  request.policy = [&config, flags](const std::string& series) -> std::optional<RetentionPolicy> {
    return flags ? *flags : config.retention_of(series);
  };
  if (m_series) check_series(*m_series);
  request.series = m_series.value_or("");
  if (m_grace) {
    const auto grace = parse_duration(*m_grace);
    if (!grace)
      throw Error(ErrorKind::usage, fmt::format("invalid value {} of --grace", quote_given(*m_grace)), "as 36h or 7d");
    request.settings.grace = *grace;
  }
  request.settings.exclusive = m_exclusive;
  request.settings.clock_ok = m_clock_ok;
  request.settings.set_aside.insert(m_set_aside.begin(), m_set_aside.end());
  return request;
}

// An undo takes back a run as a whole. An option that it ignored would seem to narrow it.
void PruneCommand::check_undo() const {
  std::vector<std::pair<const char*, bool>> others{
      {"--series", m_series.has_value()}, {"--keep-within", m_within.has_value()},
      {"--grace", m_grace.has_value()},   {"--set-aside", !m_set_aside.empty()},
      {"--exclusive", m_exclusive},       {"--clock-ok", m_clock_ok}};
  for (const auto& rule : m_counts) others.emplace_back(rule.option, rule.text.has_value());
  for (const auto& [option, given] : others) {
    if (!given) continue;
    throw Error(ErrorKind::usage, fmt::format("{} does not go with --undo", option),
                "--undo puts back all that the newest prune or forget removed");
  }
}

ExitStatus PruneCommand::undo(Session& session, Context& context) const {
  const UndoResult result = undo_prune(context, m_apply ? Apply::yes : Apply::no);
  if (session.json()) {
    JsonWriter to = begin_document("prune");
    to.member("applied", m_apply).key("restored").begin_array();
    for (const auto& key : result.restored) to.value(terminal_safe(key));
    to.end_array().key("lost").begin_array();
    for (const auto& lost : result.lost) {
      to.begin_object()
          .member("object", terminal_safe(lost.key))
          .member("message", terminal_safe(lost.cause))
          .end_object();
    }
    to.end_array();
    session.print(std::move(to));
  } else {
    for (const auto& key : result.restored)
      session.out() << (m_apply ? "put back " : "would put back ") << terminal_safe(key) << '\n';
    if (result.restored.empty()) {
      session.out() << "nothing can be put back\n";
    } else if (!m_apply) {
      session.out() << "nothing was changed; use --apply\n";
    }
  }
  if (result.lost.empty()) return ExitStatus::done;
  for (const auto& lost : result.lost) {
    session.print_error(
        Error(ErrorKind::damaged, fmt::format("unable to put back {}: {}", quote(lost.key), lost.cause)));
  }
  return ExitStatus::damaged;
}

ExitStatus PruneCommand::run(Session& session) {
  if (m_undo) check_undo();
  const PruneRequest request = this->request(session.config());
  OpenStore store = session.open(m_store, StoreUse::read);
  Context context = session.context(store);
  if (m_undo) return undo(session, context);
  if (m_series && store.repository->manifests().list(*m_series).empty()) throw no_such_series(store, *m_series);
  const Apply apply = m_apply ? Apply::yes : Apply::no;
  Pruner pruner{context, request, apply};
  run_prune(session, "prune", pruner, apply, PlanDetail::all);
  if (m_apply) {
    const std::size_t swept = store.store->sweep_temporaries(layout::k_directories);
    if (swept != 0) {
      session.reporter().info(
          fmt::format("removed {} of interrupted runs", counted(swept, "temporary file", "temporary files")));
    }
  }
  return ExitStatus::done;
}

}  // namespace

std::unique_ptr<Command> make_prune_command() {
  return std::make_unique<PruneCommand>();
}

}  // namespace cairn
