// Questions that several use cases ask of a store's objects of one kind.
#pragma once

#include "codec/digest.hpp"
#include "repo/layout.hpp"
#include "repo/notes.hpp"
#include "repo/repository.hpp"
#include "store/object_store.hpp"
#include "util/error.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace cairn {

// The packs that are listed, by name, with their sizes. Throws StoreError.
std::unordered_map<Digest, std::uint64_t, DigestHash> pack_sizes(PackReader& packs);

// Several manifests may be of one snapshot. Each is complete, and a reader may take any: cairn-format(5), MANIFESTS.
bool same_snapshot(const layout::ManifestKey& a, const layout::ManifestKey& b) noexcept;
// Those of the same snapshot as this one, in the order they are given.
std::vector<ManifestInfo> copies_of(const ManifestInfo& info, const std::vector<ManifestInfo>& manifests);

struct CopyRead {
  struct Copy {
    ManifestInfo info;
    Manifest manifest;  // may be closed
  };
  std::optional<Copy> found;    // its spare_packs are the packs of the others
  std::vector<Copy> others;     // in the order in which they would be taken
  std::vector<Error> failures;  // of the one that came last first
};
enum class CopyTrust { demanded, not_asked };
// Of packs of a manifest; asked where there are several copies.
using PackThere = std::function<bool(const PackRef&)>;
// Of the copies of one snapshot, of those that are trusted and can be read, the one to go by: one that can be opened,
// then one whose list of packs a trusted key signed, then one whose packs are all there, then the one that came to the
// store first. A later one is there because packs of the first went or are damaged, or because somebody copied the
// first and put other packs in. A copy that is damaged, has gone, or is for a later program is a failure, and is warned
// of where another one was found; so are other packs that nobody vouches for, where keys are trusted. there: nothing: a
// listing tells. Throws StoreError.
CopyRead read_best_copy(Repository& repository, std::vector<ManifestInfo> copies, CopyTrust trust = CopyTrust::demanded,
                        const PackThere& there = {});

}  // namespace cairn
