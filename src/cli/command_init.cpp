#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "repo/layout.hpp"
#include "util/error.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

class InitCommand : public Command {
 public:
  std::string name() const override { return "init"; }
  std::string summary() const override { return "make a store"; }
  void declare(OptionSet& options) override {
    options.value("--store", "STORE", m_store,
                  "where: a name from the configuration, a directory or s3://bucket/prefix");
    options.flag("--no-encryption", m_no_encryption, "store everything in the clear");
    options.flag("--if-missing", m_if_missing, "do nothing where there is a store already");
  }
  ExitStatus run(Session& session) override;

 private:
  std::optional<std::string> m_store;
  bool m_no_encryption = false;
  bool m_if_missing = false;
};

ExitStatus InitCommand::run(Session& session) {
  if (!m_no_encryption) {
    throw Error(ErrorKind::usage, "whether the store is encrypted has to be chosen",
                "this version makes stores in the clear: say --no-encryption if that is what you want");
  }
  const StoreAddress address = session.address(session.store_name(m_store));
  const auto store = open_store(address, session.io().environment, session.reporter(), CreateRoot::yes);
  bool there = false;
  if (m_if_missing) store->list(layout::k_config, [&](const ObjectInfo&) { there = true; });

  Descriptor descriptor;
  if (there) {
    // Read, so that a damaged or newer store does not pass for one that can be used.
    descriptor = Repository{*store, session.reporter(), {}}.descriptor();
  } else {
    descriptor.store_id = random_name(16);
    descriptor.created = store->now();
    descriptor.create_only = store->probe_create_only();
    Repository::init(*store, descriptor);
  }
  if (session.json()) {
    JsonWriter to = begin_document("init");
    text_member(to, "store", store->describe());
    to.member("store_id", descriptor.store_id).member("created", !there).member("encryption", descriptor.encryption);
    session.print(std::move(to));
  } else {
    session.say(
        there ? fmt::format("{} is a store already, with id {}", store->describe(), descriptor.store_id)
              : fmt::format("made a store in {}, with id {}, not encrypted", store->describe(), descriptor.store_id));
  }
  return ExitStatus::done;
}

}  // namespace

std::unique_ptr<Command> make_init_command() {
  return std::make_unique<InitCommand>();
}

}  // namespace cairn
