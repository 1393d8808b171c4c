#include "cli/commands.hpp"
#include "cli/key_files.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "codec/age/age.hpp"
#include "codec/minisign.hpp"
#include "repo/descriptor_history.hpp"
#include "store/open.hpp"
#include "util/error.hpp"
#include "util/secret.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn {

namespace {

class KeyCommand : public Command {
 public:
  std::string name() const override { return "key"; }
  std::string summary() const override { return "make keys, and say whose keys a store is for"; }
  void declare(OptionSet& options) override {
    options.operand("ACTION", m_action, OptionSet::Required::yes,
                    "generate FILE: make a key; list: of the store; add RECIPIENT..., remove RECIPIENT...: for new "
                    "objects; accept STORE-ID|RECIPIENT...: what changed in the store; revoke KEY: trust its "
                    "signatures no more");
    options.operands("KEY", m_keys, OptionSet::Required::no, "what the action is about");
    declare_store(options, m_store);
    options.flag("--signing", m_signing, "generate: a key that signs snapshots, and FILE.pub, its public key");
    options.flag("-p,--passphrase", m_passphrase, "generate: protect the key with a passphrase");
    options.value("--since", "TIME", m_since, "revoke: only what came to a store at that time or later");
  }
  ExitStatus run(Session& session) override;

 private:
  ExitStatus generate(Session& session) const;
  void generate_identity(Session& session, const fs::path& file) const;
  void generate_signing_key(Session& session, const fs::path& file) const;
  ExitStatus list(Session& session) const;
  ExitStatus change(Session& session) const;
  ExitStatus accept(Session& session) const;
  ExitStatus accept_none(Session& session, const std::string& address) const;
  ExitStatus revoke(Session& session) const;
  // Operands after the action.
  void expect_keys(std::size_t least, std::size_t most, const char* what) const;
  void expect_options(bool generating, bool revoking) const;

  std::optional<std::string> m_action;
  std::vector<std::string> m_keys;
  std::optional<std::string> m_store;
  std::optional<std::string> m_since;
  bool m_signing = false;
  bool m_passphrase = false;
};

void KeyCommand::expect_keys(std::size_t least, std::size_t most, const char* what) const {
  if (m_keys.size() < least) throw Error(ErrorKind::usage, fmt::format("key {} needs {}", *m_action, what));
  if (m_keys.size() > most) {
    throw Error(ErrorKind::usage, fmt::format("unexpected operand {} of key {}", quote_given(m_keys[most]), *m_action));
  }
}

void KeyCommand::expect_options(bool generating, bool revoking) const {
  if (!generating && (m_signing || m_passphrase)) {
    throw Error(ErrorKind::usage, "--signing and --passphrase are of key generate");
  }
  if (!revoking && m_since) throw Error(ErrorKind::usage, "--since is of key revoke");
}

SecretBytes ask_new_passphrase() {
  const auto first = ask_on_terminal("new passphrase: ");
  if (!first) throw Error(ErrorKind::usage, "a passphrase is asked for on a terminal, and there is none");
  const auto second = ask_on_terminal("the same again: ");
  if (!second || first->size() != second->size() || !same_secret(first->bytes(), second->bytes())) {
    throw Error(ErrorKind::usage, "the two passphrases differ");
  }
  if (first->empty()) throw Error(ErrorKind::usage, "the passphrase is empty");
  return *first;
}

void KeyCommand::generate_identity(Session& session, const fs::path& file) const {
  std::optional<SecretBytes> passphrase;
  if (m_passphrase) passphrase.emplace(ask_new_passphrase());
  const age::Identity identity = write_new_identity(file, passphrase ? &*passphrase : nullptr);
  if (session.json()) {
    JsonWriter to = begin_document("key");
    text_member(to, "file", file.native());
    to.member("recipient", identity.recipient().text());
    session.print(std::move(to));
  } else {
    session.out() << identity.recipient().text() << '\n';
    session.reporter().note(
        fmt::format("the identity is in {}; without it nothing that is encrypted to it can be read: "
                    "keep a copy where it outlives this machine",
                    quote(file.native())));
  }
}

void KeyCommand::generate_signing_key(Session& session, const fs::path& file) const {
  if (m_passphrase) throw Error(ErrorKind::usage, "a signing key is used unattended and has no passphrase");
  const minisign::SecretKey key = write_new_signing_key(file);
  if (session.json()) {
    JsonWriter to = begin_document("key");
    text_member(to, "file", file.native());
    to.member("public_key", key.public_key().text()).member("key_id", key.public_key().key_id());
    session.print(std::move(to));
  } else {
    session.out() << key.public_key().text() << '\n';
  }
}

ExitStatus KeyCommand::generate(Session& session) const {
  expect_options(true, false);
  expect_keys(1, 1, "the FILE to write");
  // Else its name would be the key, for everybody who may list the directory.
  refuse_secret(m_keys.front(), "what is given as FILE", "the path of the file to write");
  session.protect_memory();
  const fs::path file = m_keys.front();
  if (m_signing) {
    generate_signing_key(session, file);
  } else {
    generate_identity(session, file);
  }
  return ExitStatus::done;
}

void write_strings(JsonWriter& to, std::string_view name, const std::vector<std::string>& texts) {
  to.key(name).begin_array();
  for (const auto& text : texts) to.value(text);
  to.end_array();
}

ExitStatus KeyCommand::list(Session& session) const {
  expect_options(false, false);
  expect_keys(0, 0, "");
  const OpenStore store = session.open(m_store, StoreUse::read);
  const Descriptor& descriptor = store.repository->descriptor();
  const TrustPolicy& trust = store.repository->trust();
  const auto writer = session.state().writer_key();
  if (session.json()) {
    JsonWriter to = begin_document("key");
    to.member("store_id", descriptor.store_id).member("generation", descriptor.generation);
    to.member("encryption", descriptor.encryption);
    write_strings(to, "recipients", descriptor.recipients);
    to.key("writer");
    writer ? to.value(writer->recipient().text()) : to.null();
    to.key("trusted_keys").begin_array();
    for (const auto& key : trust.trusted)
      to.begin_object().member("key", key.key).member("series", key.series).end_object();
    to.end_array().key("revoked_keys").begin_array();
    for (const auto& key : trust.revoked) {
      to.begin_object().member("key", key.key).key("since");
      key.since ? to.value(format_time(*key.since)) : to.null();
      to.end_object();
    }
    to.end_array();
    session.print(std::move(to));
    return ExitStatus::done;
  }
  FieldList fields;
  fields.add("store", fmt::format("{}, generation {}", descriptor.store_id, descriptor.generation));
  if (!descriptor.encrypted()) fields.add("encryption", "none: everything is in the clear");
  for (const auto& recipient : descriptor.recipients) fields.add("recipient", recipient);
  if (descriptor.encrypted())
    fields.add("this host", writer ? writer->recipient().text() : "has no key of its own yet");
  for (const auto& key : trust.trusted) fields.add("trusted", fmt::format("{} for series {}", key.key, key.series));
  for (const auto& key : trust.revoked) {
    fields.add("revoked", key.since ? fmt::format("{} since {}", key.key, format_time(*key.since)) : key.key);
  }
  if (trust.trusted.empty()) fields.add("trusted", "no key: unsigned snapshots are taken");
  fields.print(session.out());
  return ExitStatus::done;
}

ExitStatus KeyCommand::change(Session& session) const {
  expect_options(false, false);
  expect_keys(1, SIZE_MAX, "RECIPIENT: age1...");
  const bool adding = *m_action == "add";
  OpenStore store = session.open(m_store, StoreUse::read);
  Descriptor descriptor = store.repository->descriptor();
  if (!descriptor.encrypted()) {
    throw Error(ErrorKind::usage, fmt::format("store {} is not encrypted", quote(store.store->describe())),
                "make an encrypted store and push the snapshots to it");
  }
  auto& recipients = descriptor.recipients;
  for (const auto& text : m_keys) {
    const std::string recipient = age::Recipient::parse(text).text();
    const auto at = std::lower_bound(recipients.begin(), recipients.end(), recipient);
    const bool there = at != recipients.end() && *at == recipient;
    if (there == adding) {
      throw Error(ErrorKind::usage,
                  fmt::format("{} is {} recipient of the store", recipient, adding ? "already a" : "no"));
    }
    adding ? static_cast<void>(recipients.insert(at, recipient)) : static_cast<void>(recipients.erase(at));
  }
  if (recipients.empty())
    throw Error(ErrorKind::usage, "the last recipient cannot be removed: nobody could read anything");
  descriptor.generation += 1;
  put_descriptor(*store.store, descriptor);
  StorePin pin = pin_of(descriptor);
  const StoreConfig configured = session.config().store(session.store_name(m_store));
  session.state().set_pin(pin_address(configured.address), pin);
  if (session.json()) {
    JsonWriter to = begin_document("key");
    to.member("store_id", descriptor.store_id).member("generation", descriptor.generation);
    write_strings(to, "recipients", recipients);
    session.print(std::move(to));
  } else {
    session.say(fmt::format("what is stored from now on is encrypted to {}",
                            counted(recipients.size(), "recipient", "recipients")));
    session.say(adding
                    ? "what is stored already is not: the new key does not open it"
                    : "what is stored already can still be opened with the key that was removed, by whoever can read "
                      "the store");
    session.say("the next snapshot of each series is stored in full, for the new recipients");
    session.say("other hosts refuse the store until: cairn key accept");
  }
  if (!configured.recipients.empty()) {
    session.reporter().warning(fmt::format("the configuration still has the old recipients of store {}: change it, too",
                                           quote(configured.name)));
  }
  return ExitStatus::done;
}

// There is no store any more where this host knew one: init may make another, encrypted in another way.
ExitStatus KeyCommand::accept_none(Session& session, const std::string& address) const {
  session.state().forget_pin(address);
  if (session.json()) {
    JsonWriter to = begin_document("key");
    to.key("store_id").null().key("generation").null().key("encryption").null();
    write_strings(to, "recipients", {});
    session.print(std::move(to));
  } else {
    session.say("accepted that there is no store any more: what this host knew of it is forgotten");
  }
  return ExitStatus::done;
}

std::string text_of(const StorePin& pin) {
  if (pin.encryption.empty()) return "what cannot be read any more";
  return fmt::format(
      "id {}, {}", pin.store_id.empty() ? "not known" : pin.store_id,
      pin.recipients.empty() ? "not encrypted" : fmt::format("encrypted to {}", fmt::join(pin.recipients, ", ")));
}

// The identity that this host took for right: the noted one; else the one that the store itself gave before.
std::optional<StorePin> known_before(ObjectStore& store, const Descriptor& descriptor,
                                     const std::optional<StorePin>& noted) {
  if (noted) return noted;
  const auto earlier = earlier_descriptors(store, descriptor);
  if (!doubt_about(descriptor, earlier) && !before_change_of_recipients(descriptor, earlier)) return std::nullopt;
  const auto other = std::find_if(earlier.known.rbegin(), earlier.known.rend(),
                                  [&](const Descriptor& each) { return pin_of(each) != pin_of(descriptor); });
  return other == earlier.known.rend() ? StorePin{} : pin_of(*other);
}

// A user who accepts a change says to what: a command that takes whatever is there would take what somebody else put
// there a moment ago. The id tells nothing of new recipients.
void confirm(const std::vector<std::string>& said, const Descriptor& descriptor, const std::optional<StorePin>& before,
             const std::string& store) {
  const StorePin now = pin_of(descriptor);
  std::vector<std::string> recipients;
  for (const auto& text : said) {
    if (text.size() != descriptor.store_id.size() || !is_hex(text)) {
      recipients.push_back(age::Recipient::parse(text).text());
    } else if (text != descriptor.store_id) {
      throw Error(ErrorKind::untrusted,
                  fmt::format("unable to accept store {}: its id is {}, not {}", store, descriptor.store_id, text));
    }
  }
  std::sort(recipients.begin(), recipients.end());
  recipients.erase(std::unique(recipients.begin(), recipients.end()), recipients.end());
  if (!recipients.empty() && recipients != descriptor.recipients) {
    throw Error(ErrorKind::untrusted,
                fmt::format("unable to accept store {}: it has {}, and not the recipients given", store, text_of(now)));
  }
  if (!before || *before == now) return;
  const bool for_others = descriptor.encrypted() && before->recipients != descriptor.recipients;
  if (for_others ? !recipients.empty() : !said.empty()) return;
  throw Error(ErrorKind::usage,
              fmt::format("to accept store {} say to what it changed: it has {}, and had {}", store, text_of(now),
                          text_of(*before)),
              fmt::format("if that is meant to be so: cairn key accept --store STORE {}",
                          for_others ? fmt::format("{}", fmt::join(descriptor.recipients, " ")) : descriptor.store_id));
}

ExitStatus KeyCommand::accept(Session& session) const {
  expect_options(false, false);
  const StoreConfig configured = session.config().store(session.store_name(m_store));
  const std::string address = pin_address(configured.address);
  std::unique_ptr<ObjectStore> store;
  Descriptor descriptor;
  try {
    store = open_store(session.address(session.store_name(m_store)), session.io().environment, session.reporter());
    descriptor = read_descriptor(*store);
  } catch (const Error& e) {
    const bool known = e.kind() == ErrorKind::not_found && session.state().pin(address);
    if (!known || (store && has_content(*store))) throw;
    expect_keys(0, 0, "");
    return accept_none(session, address);
  }
  try {
    check_pin(with_configured(pin_of(descriptor), configured.store_id, configured.recipients), descriptor,
              store->describe());
  } catch (const Error& e) {
    throw Error(e.kind(), e.message(), "the configuration says so; change it there");
  }
  const auto before = known_before(*store, descriptor, session.state().pin(address));
  confirm(m_keys, descriptor, before, quote(store->describe()));
  session.state().set_pin(address, pin_of(descriptor));
  const bool changed = before && *before != pin_of(descriptor);
  if (session.json()) {
    JsonWriter to = begin_document("key");
    to.member("store_id", descriptor.store_id).member("generation", descriptor.generation);
    to.member("encryption", descriptor.encryption);
    write_strings(to, "recipients", descriptor.recipients);
    to.member("changed", changed);
    session.print(std::move(to));
    return ExitStatus::done;
  }
  session.say(fmt::format("accepted store {}, id {}, {}", store->describe(), descriptor.store_id,
                          descriptor.encrypted() ? "encrypted to:" : "not encrypted"));
  for (const auto& recipient : descriptor.recipients) session.say("  " + recipient);
  if (changed) session.say("before: " + text_of(*before));
  return ExitStatus::done;
}

ExitStatus KeyCommand::revoke(Session& session) const {
  expect_options(false, true);
  expect_keys(1, 1, "KEY: a minisign public key, RW...");
  RevokedKey key{read_public_key(m_keys.front()), std::nullopt};
  if (m_since) {
    key.since = parse_time(*m_since);
    if (!key.since) throw Error(ErrorKind::usage, fmt::format("invalid time {}", quote_given(*m_since)));
  }
  session.state().revoke_key(key);
  if (session.json()) {
    JsonWriter to = begin_document("key");
    to.member("key", key.key).key("since");
    key.since ? to.value(format_time(*key.since)) : to.null();
    session.print(std::move(to));
  } else {
    session.say(fmt::format("{} is not trusted on this host any more{}", key.key,
                            key.since ? " for what came to a store since " + format_time(*key.since) : ""));
    session.say("tell the other hosts: revoked_keys in cairn.toml(5), or the same command");
  }
  return ExitStatus::done;
}

ExitStatus KeyCommand::run(Session& session) {
  if (*m_action == "generate") return generate(session);
  if (*m_action == "list") return list(session);
  if (*m_action == "add" || *m_action == "remove") return change(session);
  if (*m_action == "accept") return accept(session);
  if (*m_action == "revoke") return revoke(session);
  throw Error(ErrorKind::usage, fmt::format("unknown action {} of key", quote_given(*m_action)),
              "one of generate, list, add, remove, accept and revoke");
}

}  // namespace

std::unique_ptr<Command> make_key_command() {
  return std::make_unique<KeyCommand>();
}

}  // namespace cairn
