#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "engine/prune/pinner.hpp"
#include "util/time.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

// pin and unpin differ in one word.
class PinCommand : public Command {
 public:
  explicit PinCommand(PinAction action) : m_action(action) {
    // Else a pin on one that is not trusted (any more) would keep it for ever.
    if (action == PinAction::unpin) m_choice.untrusted = SnapshotChoice::Untrusted::taken_by_id;
  }
  std::string name() const override { return m_action == PinAction::pin ? "pin" : "unpin"; }
  std::string summary() const override {
    return m_action == PinAction::pin ? "keep a snapshot whatever the retention says" : "take a pin off a snapshot";
  }
  void declare(OptionSet& options) override {
    m_choice.declare(options);
    declare_store(options, m_store);
  }
  ExitStatus run(Session& session) override;

 private:
  PinAction m_action;
  SnapshotChoice m_choice;
  std::optional<std::string> m_store;
};

ExitStatus PinCommand::run(Session& session) {
  OpenStore store = session.open(m_store, StoreUse::read);
  const SnapshotInfo snapshot = session.find(store, m_choice).info;
  const bool pinned = m_action == PinAction::pin;
  const bool changed = set_pin(*store.repository, snapshot, m_action, session.signing_key().get());
  session.note_change(fmt::format("snapshot {} is {}", short_id(snapshot.id), pinned ? "pinned" : "not pinned"));
  if (session.json()) {
    JsonWriter to = begin_document(name());
    to.member("id", snapshot.id.hex()).member("series", snapshot.record.series);
    to.member("cut_point", format_time(snapshot.record.cut_point)).member("pinned", pinned).member("changed", changed);
    session.print(std::move(to));
  } else {
    session.say(fmt::format("snapshot {} of {} {} {}", short_id(snapshot.id), snapshot.record.series,
                            changed ? "is now" : "was already", pinned ? "pinned" : "not pinned"));
  }
  return ExitStatus::done;
}

}  // namespace

std::unique_ptr<Command> make_pin_command() {
  return std::make_unique<PinCommand>(PinAction::pin);
}

std::unique_ptr<Command> make_unpin_command() {
  return std::make_unique<PinCommand>(PinAction::unpin);
}

}  // namespace cairn
