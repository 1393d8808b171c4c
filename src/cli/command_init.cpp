#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/recovery_upkeep.hpp"
#include "cli/session.hpp"
#include "codec/age/keys.hpp"
#include "repo/layout.hpp"
#include "store/open.hpp"
#include "store/store_url.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::uint64_t k_largest_recipients_file = 1U << 20;

class InitCommand : public Command {
 public:
  std::string name() const override { return "init"; }
  std::string summary() const override { return "make a store"; }
  void declare(OptionSet& options) override {
    options.value("--store", "STORE", m_store,
                  "where: a name from the configuration, a directory or s3://bucket/prefix");
    options.values("--recipient", "AGE", m_recipients,
                   "encrypt everything to this age recipient (age1...); several: each of them can read it");
    options.value("--recipients-file", "FILE", m_recipients_file,
                  "encrypt to the age recipients of a file, one a line");
    options.flag("--no-encryption", m_no_encryption, "store everything in the clear");
    options.flag("--shared", m_shared,
                 "a directory for all of its group: files 0640, directories 2770, instead of 0600 and 0700");
    options.flag("--if-missing", m_if_missing, "do nothing where there is a store already");
  }
  ExitStatus run(Session& session) override;

 private:
  std::vector<std::string> recipients(const StoreConfig& configured) const;
  ExitStatus leave(Session& session, const StoreAddress& address, ObjectStore& store,
                   const std::vector<std::string>& wanted) const;
  ExitStatus make(Session& session, const StoreConfig& configured, ObjectStore& store,
                  const std::vector<std::string>& wanted) const;
  Permissions permissions(const StoreAddress& address) const;

  std::optional<std::string> m_store;
  std::vector<std::string> m_recipients;
  std::optional<std::string> m_recipients_file;
  bool m_no_encryption = false;
  bool m_shared = false;
  bool m_if_missing = false;
};

// Ascending, each once; none: nothing is encrypted, and that was said.
std::vector<std::string> InitCommand::recipients(const StoreConfig& configured) const {
  std::vector<std::string> out;
  for (const auto& text : m_recipients) out.push_back(age::Recipient::parse(text).text());
  if (m_recipients_file) {
    refuse_secret(*m_recipients_file, "--recipients-file");
    const Bytes text = read_file(*m_recipients_file, k_largest_recipients_file);
    for (const auto& recipient : age::parse_recipients(as_text(text))) out.push_back(recipient.text());
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.empty() && !configured.recipients.empty()) out = configured.recipients;
  if (!configured.recipients.empty() && out != configured.recipients) {
    throw Error(ErrorKind::usage, fmt::format("the recipients are not those that the configuration has for store {}",
                                              quote(configured.name)));
  }
  if (!out.empty() && m_no_encryption) {
    throw Error(ErrorKind::usage, "--no-encryption and recipients exclude each other");
  }
  if (out.empty() && !m_no_encryption) {
    throw Error(
        ErrorKind::usage, "whether the store is encrypted has to be chosen",
        "encrypt it to an age key: --recipient age1... (cairn key generate FILE makes one); or store everything "
        "in the clear: --no-encryption");
  }
  return out;
}

// Of a bucket there is nothing to be recorded: who may do what is its own matter.
Permissions InitCommand::permissions(const StoreAddress& address) const {
  const StoreUrl url = parse_store_url(address.url);
  if (std::holds_alternative<fs::path>(url)) return m_shared ? Permissions::group : Permissions::owner;
  if (m_shared) {
    throw Error(ErrorKind::usage, "--shared is for a store in a directory",
                "who may use a bucket is said by its provider's policies");
  }
  return Permissions::umask;
}

// A directory that was there keeps its mode: its owner knows what else is in it.
void warn_of_closed_root(Session& session, const StoreAddress& address) {
  const fs::path root = std::get<fs::path>(parse_store_url(address.url));
  struct stat st {};
  if (::stat(root.c_str(), &st) != 0 || (st.st_mode & (S_ISGID | S_IRWXG)) == (S_ISGID | S_IRWXG)) return;
  session.reporter().warning(fmt::format("directory {} has mode {:04o}: for its group to use the store, chmod g+rwxs",
                                         quote(root.native()), st.st_mode & 07777U));
}

void print_store(Session& session, const ObjectStore& store, const Descriptor& descriptor, bool created) {
  if (session.json()) {
    JsonWriter to = begin_document("init");
    text_member(to, "store", store.describe());
    to.member("store_id", descriptor.store_id).member("created", created).member("encryption", descriptor.encryption);
    to.key("recipients").begin_array();
    for (const auto& recipient : descriptor.recipients) to.value(recipient);
    to.end_array();
    session.print(std::move(to));
    return;
  }
  const std::string encrypted =
      descriptor.encrypted()
          ? fmt::format("encrypted to {}", counted(descriptor.recipients.size(), "recipient", "recipients"))
          : std::string{"not encrypted"};
  const std::string shared = descriptor.permissions == Permissions::group ? ", shared with its group" : "";
  session.say(created ? fmt::format("made a store in {}, with id {}, {}{}", store.describe(), descriptor.store_id,
                                    encrypted, shared)
                      : fmt::format("{} is a store already, with id {}, {}{}", store.describe(), descriptor.store_id,
                                    encrypted, shared));
}

// A store is there: it must be one that can be used, and the one that was asked for.
ExitStatus InitCommand::leave(Session& session, const StoreAddress& address, ObjectStore& store,
                              const std::vector<std::string>& wanted) const {
  const Descriptor descriptor = read_descriptor(store);
  check_pin(session.state().pin(pin_address(address)).value_or(pin_of(descriptor)), descriptor, store.describe());
  if (descriptor.recipients != wanted) {
    throw Error(ErrorKind::untrusted,
                fmt::format("unable to use store {}: it is there already, and not encrypted as was asked for",
                            quote(store.describe())),
                "cairn key list shows to whom it is encrypted");
  }
  if (m_shared && permissions(address) != descriptor.permissions) {
    throw Error(ErrorKind::usage,
                fmt::format("unable to use store {}: it is there already, and not shared", quote(store.describe())));
  }
  print_store(session, store, descriptor, false);
  return ExitStatus::done;
}

std::string encryption_text(const std::vector<std::string>& recipients) {
  return recipients.empty() ? "not encrypted" : fmt::format("encrypted to {}", fmt::join(recipients, ", "));
}

// A former store does not become another one because its descriptor was lost: whoever can delete that could
// else have everything stored in the clear from then on. It is made again as this host, or the configuration, knows it.
ExitStatus InitCommand::make(Session& session, const StoreConfig& configured, ObjectStore& store,
                             const std::vector<std::string>& wanted) const {
  const LocalState state = session.state();
  const std::string address = pin_address(configured.address);
  const auto noted = state.pin(address);
  const bool filled = has_content(store);
  Descriptor descriptor;
  descriptor.recipients = wanted;
  descriptor.permissions = permissions(configured.address);
  if (!wanted.empty()) descriptor.encryption = k_encryption_age;
  const StorePin known =
      with_configured(noted.value_or(pin_of(descriptor)), configured.store_id, configured.recipients);
  if (known.recipients != wanted) {
    throw Error(ErrorKind::untrusted,
                fmt::format("unable to initialise {}: the store that this host knows there is {}",
                            quote(store.describe()), encryption_text(known.recipients)),
                filled ? "its snapshots are there, and its descriptor is lost: the same init makes that again with the "
                         "same recipients only"
                       : "if that one has gone for good, first: cairn key accept --store STORE");
  }
  if (filled && known.store_id.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("unable to initialise {}: it holds snapshots or packs of a store, whose descriptor is lost",
                            quote(store.describe())),
                "bring the objects of config/ back from a copy; or run init on a host that has used the store, or with "
                "its store_id in the configuration: that makes the descriptor again");
  }
  descriptor.store_id = known.store_id.empty() ? random_name(16) : known.store_id;
  descriptor.created = store.now();
  descriptor.create_only = store.probe_create_only();
  init_store(store, descriptor);
  try {
    state.set_pin(address, pin_of(descriptor));
  } catch (const Error& e) {
    const std::string message = fmt::format("unable to note the identity of the store: {}", e.message());
    descriptor.encrypted() ? session.reporter().warning(message) : session.reporter().info(message);
  }
  if (filled) {
    session.reporter().warning(
        fmt::format("the descriptor of {} was lost, and is made again: find out how", quote(store.describe())));
  }
  if (m_shared) warn_of_closed_root(session, configured.address);
  session.note_change(fmt::format("store {} was made", quote(store.describe())));
  put_recovery_material(session, store, descriptor.store_id);
  print_store(session, store, descriptor, true);
  return ExitStatus::done;
}

Error store_gone(std::string_view store) {
  return {
      ErrorKind::untrusted,
      fmt::format("unable to initialise {}: this host knows a store there, and nothing of it is there", quote(store)),
      "its disk may not be mounted; if that store has gone for good: the same without --if-missing"};
}

// Where this host knows a store, and none is: a disk that is not mounted must not become an empty store without a word.
std::unique_ptr<ObjectStore> open_known(Session& session, const StoreAddress& address) {
  try {
    return open_store(address, session.io().environment, session.reporter(), CreateRoot::no);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::not_found) throw;
    throw store_gone(without_secrets(address.url));
  }
}

ExitStatus InitCommand::run(Session& session) {
  const std::string name = session.store_name(m_store);
  const StoreConfig configured = session.config().store(name);
  const auto wanted = recipients(configured);
  static_cast<void>(permissions(configured.address));  // refuses before anything is made
  const StoreAddress address = session.address(name);
  const bool known = m_if_missing && session.state().pin(pin_address(configured.address)).has_value();
  const auto store = known ? open_known(session, address)
                           : open_store(address, session.io().environment, session.reporter(), CreateRoot::yes);
  std::vector<std::string> there;
  store->list(layout::k_config, [&](const ObjectInfo& info) { there.push_back(info.key); });
  if (there.empty() && known && !has_content(*store)) throw store_gone(store->describe());
  if (there.empty()) return make(session, configured, *store, wanted);
  if (!m_if_missing) throw already_a_store(*store);
  store->make_durable(there);
  return leave(session, configured.address, *store, wanted);
}

}  // namespace

std::unique_ptr<Command> make_init_command() {
  return std::make_unique<InitCommand>();
}

}  // namespace cairn
