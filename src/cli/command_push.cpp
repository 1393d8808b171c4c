#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/push_text.hpp"
#include "util/error.hpp"

namespace cairn {

namespace {

class PushCommand : public Command {
 public:
  std::string name() const override { return "push"; }
  std::string summary() const override { return "copy snapshots from one store to another"; }
  void declare(OptionSet& options) override {
    options.operands("REF", m_references, OptionSet::Required::no,
                     "the snapshots to push; without: of each series what is newer than the target's newest");
    options.value("--from", "STORE", m_from, "the store to read; by default CAIRN_STORE or the configuration's");
    options.value("--to", "STORE", m_to, "the store to write");
    options.value("--series", "NAME", m_series, "snapshots of this series only");
    options.flag("--all", m_all, "everything that the target lacks");
    m_keys.declare(options);
  }
  Patience patience() const override { return Patience::job; }
  ExitStatus run(Session& session) override;

 private:
  std::vector<std::string> m_references;
  std::optional<std::string> m_from;
  std::optional<std::string> m_to;
  KeyOptions m_keys;
  std::optional<std::string> m_series;
  bool m_all = false;
};

ExitStatus PushCommand::run(Session& session) {
  if (!m_to) throw Error(ErrorKind::usage, "no store to push to", "give --to STORE");
  if (m_all && !m_references.empty()) throw Error(ErrorKind::usage, "REF and --all exclude each other");
  OpenStore from = session.open(m_from, StoreUse::read, &m_keys);
  OpenStore to = session.open(m_to, StoreUse::write, &m_keys);
  PushRequest request;
  request.spool = session.spool();
  if (m_all) request.selection = PushRequest::Selection::all;
  if (m_references.empty()) {
    request.series = m_series.value_or("");
    if (m_series && from.repository->manifests().list(*m_series).empty()) throw no_such_series(from, *m_series);
  } else {
    request.selection = PushRequest::Selection::named;
    for (const auto& reference : m_references) {
      request.snapshots.push_back(session.find(from, {reference, m_series}).info.id);
    }
  }
  if (from.repository->keys().seals()) from.repository->keys().load_identities();
  Context source = session.context(from);
  Context target = session.context(to);
  const PushResult result = push(source, target, request);
  note_push(session, result, to.store->describe());
  if (session.json()) {
    JsonWriter document = begin_document("push");
    write_push_members(document, result);
    session.print(std::move(document));
  } else {
    print_push(session, result, to.store->describe());
  }
  return push_status(result);
}

}  // namespace

std::unique_ptr<Command> make_push_command() {
  return std::make_unique<PushCommand>();
}

}  // namespace cairn
