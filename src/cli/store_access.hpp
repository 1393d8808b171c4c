// From the address of a store to an open one.
#pragma once

#include "repo/local_state.hpp"
#include "repo/repository.hpp"
#include "store/object_store.hpp"
#include "store/store_address.hpp"
#include "util/environment.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// The repository refers to the store.
struct OpenStore {
  std::unique_ptr<ObjectStore> store;
  std::unique_ptr<Repository> repository;
  // Since when this host has had the key of its own that opens what it stored here; nothing: it has none.
  std::optional<Time> own_key_since;
};

// Where this user's disposable copies of a store's metadata are: CAIRN_CACHE_DIR, the configuration's cache_dir,
// XDG_CACHE_HOME/cairn, HOME/.cache/cairn, /var/cache/cairn for root without HOME; else empty: no cache. An empty
// CAIRN_CACHE_DIR means none.
fs::path cache_directory(const std::optional<fs::path>& configured, const EnvironmentLookup& environment, bool is_root);

// Where what this host must not lose is kept: CAIRN_STATE_DIR, the configuration's state_dir; for root
// /var/lib/cairn-state, whoever started it (a timer has no HOME); else XDG_STATE_HOME/cairn, HOME/.local/state/cairn,
// or nowhere.
fs::path state_directory(const std::optional<fs::path>& configured, const EnvironmentLookup& environment, bool is_root);

// How a command uses a store.
enum class StoreUse {
  read,
  write,  // it will seal what it stores: this host's own key is made where there is none
};

// Means that a use of a store adds to it, or takes from it.
struct StoreMeans {
  std::function<std::unique_ptr<ObjectStore>(std::unique_ptr<ObjectStore>)> decorate = {};  // empty: nothing
  std::optional<fs::path> cache = {};  // instead of this user's; empty: none
  bool sign = false;                   // what is stored, though the store is opened for reading
};

struct StoreSettings {
  fs::path cache;  // empty: none
  fs::path state;
  std::optional<std::string> store_id;  // as configured
  std::vector<std::string> recipients;
  TrustPolicy trust;
  Keyring::LoadIdentities identities;
  std::function<std::shared_ptr<const minisign::SecretKey>()> signing_key;                  // see RepositoryOptions
  ThreadPool* io = nullptr;                                                                 // see RepositoryOptions
  std::function<std::unique_ptr<ObjectStore>(std::unique_ptr<ObjectStore>)> decorate = {};  // see StoreMeans
};

// The name of the store in this host's state: the real path of a directory, however it was spelt; bucket, prefix and
// endpoint of a bucket.
std::string pin_address(const StoreAddress& address);

// The pin with what the configuration says of the store in its place: its id, and to whom it is encrypted. Nothing, and
// no recipients, say nothing.
StorePin with_configured(StorePin pin, const std::optional<std::string>& store_id,
                         const std::vector<std::string>& recipients);

// Refuses (Error(untrusted)) a store that is not the one that was configured, or was met at this address before; notes
// one that is met for the first time. Error(not_found) where there is no store.
OpenStore open_existing_store(const StoreAddress& address, const StoreSettings& settings, StoreUse access,
                              const EnvironmentLookup& environment, Reporter& reporter);

}  // namespace cairn
