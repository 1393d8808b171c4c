#include "cli/store_access.hpp"

#include "repo/descriptor_history.hpp"
#include "repo/layout.hpp"
#include "store/open.hpp"
#include "store/store_url.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"

#include <variant>

#include <fmt/format.h>

namespace cairn {

fs::path cache_directory(const std::optional<fs::path>& configured, const EnvironmentLookup& environment,
                         bool is_root) {
  if (const auto own = environment("CAIRN_CACHE_DIR")) {
    refuse_secret(*own, "CAIRN_CACHE_DIR", "the path of a directory");
    return *own;
  }
  if (configured) return *configured;
  // The XDG specification ignores relative paths.
  if (const auto xdg = nonempty(environment, "XDG_CACHE_HOME"); xdg && xdg->front() == '/')
    return fs::path{*xdg} / "cairn";
  if (const auto home = nonempty(environment, "HOME")) return fs::path{*home} / ".cache/cairn";
  if (is_root) return "/var/cache/cairn";
  return {};
}

fs::path state_directory(const std::optional<fs::path>& configured, const EnvironmentLookup& environment,
                         bool is_root) {
  if (const auto own = environment("CAIRN_STATE_DIR")) {
    refuse_secret(*own, "CAIRN_STATE_DIR", "the path of a directory");
    return *own;
  }
  if (configured) return *configured;
  if (is_root) return "/var/lib/cairn-state";
  if (const auto xdg = nonempty(environment, "XDG_STATE_HOME"); xdg && xdg->front() == '/')
    return fs::path{*xdg} / "cairn";
  if (const auto home = nonempty(environment, "HOME")) return fs::path{*home} / ".local/state/cairn";
  return {};
}

namespace {

// Whether the descriptor of a store may be believed, and noted, where this host knows only what is in that store.
// Everybody who can put objects there can put another one on top, and a host without a state meets it for the first
// time every time. Error(untrusted) where access is for writing.
bool is_beyond_doubt(ObjectStore& store, const Descriptor& descriptor, StoreUse access, Reporter& reporter) {
  const auto earlier = earlier_descriptors(store, descriptor);
  const std::string name = quote(store.describe());
  if (const auto doubt = doubt_about(descriptor, earlier)) {
    if (access == StoreUse::write) {
      throw Error(ErrorKind::untrusted, fmt::format("unable to store anything in {}: {}", name, *doubt), k_accept_hint);
    }
    reporter.warning(fmt::format("store {}: {}; nothing will be stored there before that is accepted", name, *doubt));
    return false;
  }
  if (const auto* before = before_change_of_recipients(descriptor, earlier); before && access == StoreUse::write) {
    reporter.warning(
        fmt::format("store {} is encrypted to others than in generation {}, and this host knew nothing of it: it takes "
                    "those of now; cairn key list shows them",
                    name, before->generation));
  }
  return true;
}

// Holds the store against what the configuration says of it, else against what was noted when it was first met.
void check_or_note(const LocalState& state, const StoreSettings& settings, const StoreAddress& address,
                   ObjectStore& store, const Descriptor& descriptor, StoreUse access, Reporter& reporter) {
  const std::string key = pin_address(address);
  const auto noted = state.pin(key);
  const StorePin pin = with_configured(noted.value_or(pin_of(descriptor)), settings.store_id, settings.recipients);
  check_pin(pin, descriptor, store.describe());
  if (noted && *noted == pin) return;
  const bool configured = !settings.recipients.empty();
  if (!noted && !configured && !is_beyond_doubt(store, descriptor, access, reporter)) return;
  try {
    state.set_pin(key, pin);
  } catch (const Error& e) {
    const std::string message =
        fmt::format("unable to note the identity of {}: {}", quote(store.describe()), e.message());
    // A rescue system may have no place for it. A run that stores would not notice another store in its place.
    if (access == StoreUse::write && descriptor.encrypted() && !configured) {
      reporter.warning(message + "; give its recipients in the configuration, or CAIRN_STATE_DIR a place that is kept");
    } else {
      reporter.info(message);
    }
  }
}

// The files of a store that was made before its permissions were recorded are what the umask of each writer made them.
// Said once: whoever wants it so is not to read it every night.
void warn_if_open(const LocalState& state, const StoreAddress& address, ObjectStore& store,
                  const Descriptor& descriptor, Reporter& reporter) {
  if (descriptor.permissions != Permissions::umask || descriptor.encrypted()) return;
  if (!std::holds_alternative<fs::path>(parse_store_url(address.url))) return;
  bool open = false;
  store.list(layout::k_config, [&](const ObjectInfo& info) { open = open || store.readable_by_others(info.key); });
  if (!open || !state.first_told_open(descriptor.store_id)) return;
  reporter.warning(fmt::format(
      "the files of store {} can be read by other users of this machine, and it is not encrypted; to close it: chmod "
      "go= {} (this is said once)",
      quote(store.describe()), quote(store.describe())));
}

// This host's own key, which opens what it stored itself. Nothing fails for the want of it: what another key or none
// opens is not kept from anybody by a file that was torn.
std::optional<age::Identity> own_key(const LocalState& state, StoreUse access, const Descriptor& descriptor,
                                     Reporter& reporter) {
  const bool writes = access == StoreUse::write && descriptor.encrypted();
  try {
    if (writes) return state.ensure_writer_key();
    return state.writer_key();
  } catch (const Error& e) {
    if (writes) {
      reporter.warning(
          fmt::format("this host has no key of its own ({}): the next run will read and store all again", e.message()));
    } else {
      const std::string message = fmt::format("this host's own key is not used: {}", e.message());
      descriptor.encrypted() ? reporter.warning(message) : reporter.info(message);
    }
    return std::nullopt;
  }
}

}  // namespace

std::string pin_address(const StoreAddress& address) {
  const StoreUrl url = parse_store_url(address.url);
  if (const auto* path = std::get_if<fs::path>(&url)) return fs::weakly_canonical(fs::absolute(*path)).native();
  const auto& bucket = std::get<S3Url>(url);
  const auto& endpoint = bucket.endpoint ? bucket.endpoint : address.endpoint;
  return fmt::format("s3://{}/{} {}", bucket.bucket, bucket.prefix, endpoint.value_or(""));
}

StorePin with_configured(StorePin pin, const std::optional<std::string>& store_id,
                         const std::vector<std::string>& recipients) {
  if (store_id) pin.store_id = *store_id;
  if (!recipients.empty()) {
    pin.encryption = k_encryption_age;
    pin.recipients = recipients;
  }
  return pin;
}

OpenStore open_existing_store(const StoreAddress& address, const StoreSettings& settings, StoreUse access,
                              const EnvironmentLookup& environment, Reporter& reporter) {
  OpenStore open;
  open.store = open_store(address, environment, reporter);
  if (settings.decorate) open.store = settings.decorate(std::move(open.store));
  const LocalState state{settings.state};
  RepositoryOptions options;
  options.cache_root = settings.cache;
  options.trust = settings.trust;
  options.io = settings.io;
  options.signing_key = settings.signing_key;
  options.own_packs = [state](const std::string& store_id) { return state.own_packs_file(store_id); };
  options.descriptor = read_descriptor(*open.store);
  const Descriptor& descriptor = *options.descriptor;
  tell_store(*open.store, descriptor);
  check_or_note(state, settings, address, *open.store, descriptor, access, reporter);
  if (access == StoreUse::write) warn_if_open(state, address, *open.store, descriptor, reporter);
  for (auto& key : state.revoked_keys()) options.trust.revoked.push_back(std::move(key));
  std::vector<age::Recipient> recipients;
  for (const auto& text : descriptor.recipients) recipients.push_back(age::Recipient::parse(text));
  // A descriptor that says nothing of encryption may not be the one under which the packs were sealed: the keys that
  // are at hand are tried on whatever is.
  auto own = own_key(state, access, descriptor, reporter);
  if (own) open.own_key_since = state.writer_key_since();
  options.keys = std::make_shared<const Keyring>(std::move(recipients), std::move(own), settings.identities);
  open.repository = std::make_unique<Repository>(*open.store, reporter, std::move(options));
  return open;
}

}  // namespace cairn
