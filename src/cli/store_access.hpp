// From the address of a store to an open one.
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

// Where this user's disposable copies of a store's metadata are: CAIRN_CACHE_DIR, the configuration's cache_dir,
// XDG_CACHE_HOME/cairn, HOME/.cache/cairn, /var/cache/cairn for root without HOME; else empty: no cache. An empty
// CAIRN_CACHE_DIR means none.
fs::path cache_directory(const std::optional<fs::path>& configured, const EnvironmentLookup& environment, bool is_root);

// cache: where its metadata may be kept; empty for nowhere. Error(not_found) where there is no store.
OpenStore open_existing_store(const StoreAddress& address, const fs::path& cache, const EnvironmentLookup& environment,
                              Reporter& reporter);

}  // namespace cairn
