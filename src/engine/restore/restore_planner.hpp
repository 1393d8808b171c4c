// Decides a restore: from the manifest, the entry list, directories of packs, and a look at the target. Writes nothing.
#pragma once

#include "engine/context.hpp"
#include "engine/restore/local_sources.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/restore_target.hpp"
#include "repo/frame_fetcher.hpp"
#include "repo/manifest.hpp"
#include "repo/objects.hpp"

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace cairn {

// Stored bytes of content that are under way or wait for their turn while the steps are carried out.
inline constexpr std::uint64_t k_read_ahead = 80ULL << 20;

// How a restore reads its store.
struct StoreAccess {
  bool far = false;     // requests take longer than bytes
  bool whole = false;   // all of the snapshot is wanted
  bool others = false;  // other stores stand in where it fails
};
// Where a restore has its packs from.
PackSource& packs_of(Repository& repository, const RestoreRequest& request);
StoreAccess access_of(Repository& repository, const RestoreRequest& request);

// Directories that the restore itself needs as it goes on: the store, where it is one, and where steps wait.
std::vector<fs::path> own_places(Repository& repository, const RestoreRequest& request);

// The packs of the store with their sizes, as its listing says.
using PackSizes = std::unordered_map<Digest, std::uint64_t, DigestHash>;

// A plan is made with these. All of them outlive it.
struct PlanningTools {
  FrameFetcher& lists;    // for the entry list
  FrameFetcher& content;  // for directories of packs with content; may be the same
  const PackTable& packs;
  const PackSizes* there;  // null: nobody looked
  StoreAccess access;
  const LocalPlaces* local = nullptr;           // where content is looked for first; null: nowhere
  const std::set<std::string>* only = nullptr;  // paths of files that are planned once more; null: everything
};

// Of directories that are read side by side before they are needed. Where others stand in for a store that does not
// answer, that is found when one of them is.
std::size_t fetch_directories(Repository& repository, std::span<const PackRef> refs, const StoreAccess& access);

// Before anything is asked for: what the plan itself will need, over a network in few requests side by side.
void read_ahead_for_plan(Repository& repository, const Manifest& manifest, const PlanningTools& tools);

// Throws Error for what restore() refuses: see there. Damage to the entry list is Error(damaged); damage to content is
// none, and leaves out the files that need it.
PreparedRestore prepare_restore(Context& context, const Manifest& manifest, const RestoreRequest& request,
                                const RestoreTarget& target, const PlanningTools& tools);

}  // namespace cairn
