#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/prune_text.hpp"

namespace cairn {

namespace {

class ForgetCommand : public Command {
 public:
  std::string name() const override { return "forget"; }
  std::string summary() const override { return "remove named snapshots"; }
  void declare(OptionSet& options) override {
    options.operands("REF", m_references, OptionSet::Required::yes, "the snapshots to remove");
    declare_store(options, m_store);
    options.value("--series", "NAME", m_series, "the series of the snapshot, where REF is latest");
    options.flag("--apply", m_apply, "do it: without, the plan is printed and nothing is changed");
  }
  ExitStatus run(Session& session) override;

 private:
  std::vector<std::string> m_references;
  std::optional<std::string> m_store;
  std::optional<std::string> m_series;
  bool m_apply = false;
};

ExitStatus ForgetCommand::run(Session& session) {
  OpenStore store = session.open(m_store, StoreUse::read);
  PruneRequest request;
  request.settings.scope = PruneSettings::Scope::forget;
  request.forget.emplace();
  // All are found before the first is removed: "latest" would mean another one after.
  for (const auto& reference : m_references) {
    const SnapshotChoice choice{reference, m_series, SnapshotChoice::Untrusted::taken_by_id};
    request.forget->push_back(session.find(store, choice).info.id);
  }
  Context context = session.context(store);
  const Apply apply = m_apply ? Apply::yes : Apply::no;
  Pruner pruner{context, request, apply};
  run_prune(session, "forget", pruner, apply, PlanDetail::removed);
  return ExitStatus::done;
}

}  // namespace

std::unique_ptr<Command> make_forget_command() {
  return std::make_unique<ForgetCommand>();
}

}  // namespace cairn
