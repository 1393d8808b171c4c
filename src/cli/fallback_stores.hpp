// The stores that a restore takes packs from where its own has lost them.
#pragma once

#include "cli/session.hpp"
#include "repo/fallback_packs.hpp"
#include "repo/manifest_store.hpp"
#include "util/json.hpp"

#include <memory>
#include <string>
#include <vector>

namespace cairn {

class FallbackStores {
 public:
  // store: the name of the one that is restored from, open and for as long as this lives. from: names of others, as the
  // command line has them (Error(usage) where the store itself is among them); none: those that the sources of the
  // series are pushed to. keys: outlives this. Opens none of them.
  FallbackStores(Session& session, Repository& repository, const std::string& store, std::vector<std::string> from,
                 const SnapshotInfo& snapshot, const KeyOptions& keys);
  FallbackStores(const FallbackStores&) = delete;
  FallbackStores& operator=(const FallbackStores&) = delete;

  // Null where there are no others.
  FallbackPacks* packs() noexcept { return m_packs.get(); }
  // After the restore: one warning for each store that something was taken from.
  void tell(Reporter& reporter) const;
  // The same as a member, "fallback".
  void write(JsonWriter& to) const;

 private:
  std::string m_store;
  std::unique_ptr<FallbackPacks> m_packs;
};

}  // namespace cairn
