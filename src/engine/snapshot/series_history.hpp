// The history of a series before a new snapshot of it is taken: what that one follows, is compared with, and may lean
// on.
#pragma once

#include "engine/context.hpp"
#include "engine/snapshot/size_guard.hpp"
#include "repo/manifest.hpp"
#include "repo/objects.hpp"
#include "repo/repository.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// Kept in the cache under this kind: ids of snapshots that this host took.
inline constexpr const char* k_own_snapshots = "own";

struct SeriesHistory {
  struct Last {
    Digest id;
    Time cut_point;
    Time stored_at;  // its first manifest, by the store's clock
    bool closed = false;
    bool ahead = false;  // a clock that was ahead dated it: there is none that is dated well
  };
  // The newest one that is trusted and dated well; where all are dated ahead, the newest of those.
  std::optional<Last> last;
  std::uint64_t sequence = 0;  // the highest number among those that were looked at
  std::optional<Facts> owner;  // of the newest one that can be opened, of those dated well if there are any
  SizeBefore before;           // of the newest one that can be opened, is dated well and holds what it should
  // The one to compare the new one with: the newest that can be opened. One that is in doubt or dated ahead only where
  // there is no other: it may hold little of what the source has.
  std::optional<Manifest> base;
  // The newest of those that were passed over for the base: what they alone hold need not be stored again.
  std::vector<Manifest> others;
  // Other manifests of base and others, whose packs are theirs as well.
  std::vector<Manifest> copies;
};

// manifests: of the store, newest first; usable: whether a pack is there and may be leaned on (read_best_copy()). A
// manifest that is not trusted, or is damaged, is left out with a warning. Throws StoreError, and Error where only a
// later program can read what is there.
SeriesHistory read_history(Context& context, const std::vector<ManifestInfo>& manifests, const std::string& series,
                           const PackThere& usable);

// A claim to go on with a series.
struct SeriesClaim {
  std::string kind;    // of the source
  std::string source;  // its location
  // The name was not given but taken from the path.
  bool defaulted = false;
  // Since when this host has had its own key (Keyring); nothing: it has none.
  std::optional<Time> own_key_since;
  bool taken_before = false;  // this host's state says that it has taken snapshots of the series
};

// Refuses (Error(usage)) a defaulted series whose newest snapshot is another host's, or of another source: two
// strangers must never share a retention. Of one that is sealed, and that no key at hand opens, another host is taken
// to be the author only if this one had its key already when that snapshot came: it could open its own. A host that was
// rebuilt, or has no place for its state, goes on, with a warning of what it costs.
void check_claim(Context& context, const SeriesHistory& history, const std::string& series, const SeriesClaim& claim);

}  // namespace cairn
