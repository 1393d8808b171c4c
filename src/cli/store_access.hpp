// From --store, the environment and the configuration to an open store.
#pragma once

#include "repo/repository.hpp"
#include "store/open.hpp"

#include <memory>
#include <optional>
#include <string>

namespace cairn {

// The repository refers to the store.
struct OpenStore {
  std::unique_ptr<ObjectStore> store;
  std::unique_ptr<Repository> repository;
};

// option, else CAIRN_STORE; a name of the configuration, a path or a URL. Throws Error(usage) where there is none.
StoreAddress store_address(const std::optional<std::string>& option, const EnvironmentLookup& environment);

// Where this user's disposable copies of a store's metadata are: CAIRN_CACHE_DIR, the configuration's cache_dir,
// XDG_CACHE_HOME/cairn, HOME/.cache/cairn, /var/cache/cairn for root without HOME; else empty: no cache. An empty
// CAIRN_CACHE_DIR means none.
fs::path cache_directory(const std::optional<std::string>& configured, const EnvironmentLookup& environment,
                         bool is_root);

// Error(not_found) where there is no store.
OpenStore open_existing_store(const StoreAddress& address, const EnvironmentLookup& environment, Reporter& reporter);

}  // namespace cairn
