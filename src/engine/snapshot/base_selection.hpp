// The base of a new snapshot of a series: the snapshot that it follows and is compared with, and the packs that it
// leans on.
#pragma once

#include "engine/commit/commit_protocol.hpp"
#include "engine/context.hpp"
#include "engine/snapshot/base_packs.hpp"
#include "engine/snapshot/lean_set.hpp"
#include "engine/snapshot/series_history.hpp"
#include "repo/manifest.hpp"
#include "repo/objects.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace cairn {

struct SnapshotBase {
  std::vector<ManifestInfo> manifests;  // of the store, newest first
  SeriesHistory history;                // without its base
  std::optional<Manifest> previous;     // the base: what the snapshot is compared with
};

struct BaseQuery {
  std::string series;
  SeriesClaim claim;
  bool drop_is_limited = false;  // by the user: he is told where that cannot be checked
};

// Reads the history of the series, checks the claim (check_claim(), which throws Error(usage)), and takes down who
// vouches for the packs of what was read. manifests: of the store, in any order. Throws StoreError.
SnapshotBase find_base(Context& context, CommitProtocol& protocol, std::vector<ManifestInfo> manifests,
                       const BaseQuery& query);

struct LeanChoice {
  LeanSet packs;  // of the previous snapshot, of interrupted runs, of what was passed over; then of other series
  std::size_t first_other = 0;  // the first of those of other series
};

// Chooses the packs that the snapshot leans on. Reads whole those that nobody vouches for; what that costs, and what
// cannot be leaned on, are warnings. One thread; once. Throws StoreError.
class PackChooser {
 public:
  PackChooser(Context& context, CommitProtocol& protocol, const std::string& series, std::uint64_t pack_target);
  PackChooser(const PackChooser&) = delete;
  PackChooser& operator=(const PackChooser&) = delete;
  // Where another manifest of the previous snapshot has a better pack, base.previous names that afterwards.
  LeanChoice choose(SnapshotBase& base);

 private:
  void vouch_for(const SnapshotBase& base, const std::vector<bool>& lean);
  void lean_on_previous(SnapshotBase& base);
  void lean_on_other_series(const std::vector<ManifestInfo>& manifests);
  void lean_on(const PackRef& ref);
  void lean_on_undecided(const std::vector<PackRef>& packs);

  Context& m_context;
  CommitProtocol& m_protocol;
  const std::string& m_series;
  std::uint64_t m_pack_target;
  PackRules m_rules;
  // Packs of the previous snapshot on which the policy has decided; that stands.
  std::unordered_set<Digest, DigestHash> m_decided;
  LeanChoice m_choice;
};

}  // namespace cairn
