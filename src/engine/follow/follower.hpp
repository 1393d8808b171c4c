// Keeps a target equal to the newest snapshot of a series: one restore in place after another, of which each knows what
// the one before left there.
#pragma once

#include "engine/context.hpp"
#include "engine/follow/kept_packs.hpp"
#include "engine/follow/standby_memory.hpp"
#include "engine/restore/restorer.hpp"
#include "repo/manifest.hpp"
#include "repo/manifest_store.hpp"
#include "util/lock_file.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace cairn {

enum class LocalChanges { refused, discarded };

// One thread.
class Follower {
 public:
  // directory: of this host's state, where what is remembered of the target is kept. Throws Error(busy) where another
  // process follows to the same target.
  Follower(const fs::path& directory, const fs::path& target, const fs::path& spool);

  // The snapshot that is in place, as far as is known; nothing where there is no target (any more).
  std::optional<Digest> in_place() const;
  // Whether something was ever put there that this host still knows of.
  bool is_established() const { return !m_memory.possible().empty(); }

  // Makes the target equal to the snapshot; as restore() in place, with what the snapshot lacks removed, but that
  // nothing is changed where not all of it can be had (Error(damaged), or failed). A file that this host wrote and
  // nobody touched is not read. Where something else than what this host put there would be lost, Error(usage), and
  // nothing is changed, unless that is to be discarded. request: its target is that of this object. series: the
  // manifests of the series as they are listed; where it is not known what was put there, the newest of them tell.
  RestoreResult apply(Context& context, const Manifest& manifest, RestoreRequest request,
                      const std::vector<ManifestInfo>& series, LocalChanges changes);

 private:
  fs::path m_target;
  LockFile m_lock;
  StandbyMemory m_memory;
  std::unique_ptr<KeptPacks> m_packs;  // of the store, which is always the same
};

}  // namespace cairn
