#include "repo/objects.hpp"

#include "util/file.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

namespace cairn {

std::unordered_map<Digest, std::uint64_t, DigestHash> pack_sizes(PackReader& packs) {
  std::unordered_map<Digest, std::uint64_t, DigestHash> sizes;
  packs.list([&](const Digest& name, const ObjectInfo& info) { sizes.emplace(name, info.size); });
  return sizes;
}

bool same_snapshot(const layout::ManifestKey& a, const layout::ManifestKey& b) noexcept {
  return a.series == b.series && a.cut_point == b.cut_point && a.id == b.id;
}

std::vector<ManifestInfo> copies_of(const ManifestInfo& info, const std::vector<ManifestInfo>& manifests) {
  std::vector<ManifestInfo> copies;
  std::copy_if(manifests.begin(), manifests.end(), std::back_inserter(copies),
               [&](const ManifestInfo& other) { return same_snapshot(other.name, info.name); });
  return copies;
}

namespace {

// The lesser is the one to go by.
auto rank_of(Repository& repository, const CopyRead::Copy& copy, const PackThere& there) {
  const Manifest& manifest = copy.manifest;
  const bool whole = std::all_of(manifest.packs.begin(), manifest.packs.end(), there);
  return std::tuple{manifest.closed, !repository.manifests().is_vouched(manifest), !whole, copy.info.stored_at,
                    copy.info.key};
}

void sort_copies(Repository& repository, std::vector<CopyRead::Copy>& copies, const PackThere& there) {
  using Rank = decltype(rank_of(repository, copies.front(), there));
  std::vector<std::pair<Rank, std::size_t>> order;
  for (std::size_t i = 0; i < copies.size(); ++i) order.emplace_back(rank_of(repository, copies[i], there), i);
  std::sort(order.begin(), order.end());
  std::vector<CopyRead::Copy> sorted;
  sorted.reserve(copies.size());
  for (const auto& [rank, i] : order) sorted.push_back(std::move(copies[i]));
  copies = std::move(sorted);
}

// Two copies that name other packs for the same content, and nobody who is trusted vouches for those of the one.
void warn_of_other_packs(Repository& repository, const CopyRead& read) {
  if (!repository.trust().demands_signature()) return;
  std::unordered_set<Digest, DigestHash> named;
  for (const auto& pack : read.found->manifest.packs) named.insert(pack.name);
  for (const auto& other : read.others) {
    const bool found_vouched = repository.manifests().is_vouched(read.found->manifest);
    const auto strange = std::count_if(other.manifest.packs.begin(), other.manifest.packs.end(),
                                       [&](const PackRef& pack) { return !named.contains(pack.name); });
    if ((found_vouched && repository.manifests().is_vouched(other.manifest)) || strange == 0) continue;
    repository.reporter().warning(fmt::format(
        "manifest {} names {} that {} of the same snapshot does not, and no trusted key signed {}: a repair by a host "
        "without a key does that, or somebody who is up to something",
        quote(other.info.key), strange == 1 ? "a pack" : fmt::format("{} packs", strange), quote(read.found->info.key),
        found_vouched ? "its list" : "either list"));
  }
}

}  // namespace

CopyRead read_best_copy(Repository& repository, std::vector<ManifestInfo> copies, CopyTrust trust,
                        const PackThere& there) {
  std::stable_sort(copies.begin(), copies.end(),
                   [](const ManifestInfo& a, const ManifestInfo& b) { return a.stored_at > b.stored_at; });
  CopyRead read;
  std::vector<CopyRead::Copy> found;
  for (const auto& info : copies) {
    Manifest manifest;
    const auto failure =
        damage_of([&] { manifest = repository.manifests().peek(info); }, {ErrorKind::not_found, ErrorKind::failed});
    if (failure) {
      read.failures.push_back(*failure);
      continue;
    }
    if (!manifest.trusted && trust == CopyTrust::demanded) continue;
    // Names have the first digits of an id.
    if (!found.empty() && found.front().manifest.id != manifest.id) continue;
    found.push_back({info, std::move(manifest)});
  }
  if (found.empty()) return read;
  for (const auto& failure : read.failures) {
    repository.reporter().warning(failure.message() + "; using another manifest of the same snapshot");
  }
  if (found.size() > 1 && there) sort_copies(repository, found, there);
  if (found.size() > 1 && !there) {
    const auto sizes = pack_sizes(repository.packs());
    sort_copies(repository, found, [&](const PackRef& pack) {
      const auto at = sizes.find(pack.name);
      return at != sizes.end() && at->second == pack.size;
    });
  }
  read.found = std::move(found.front());
  read.others.assign(std::make_move_iterator(found.begin() + 1), std::make_move_iterator(found.end()));
  if (read.others.empty()) return read;
  warn_of_other_packs(repository, read);
  for (const auto& other : read.others) {
    if (other.manifest.closed) continue;
    auto& spares = read.found->manifest.spare_packs;
    spares.insert(spares.end(), other.manifest.packs.begin(), other.manifest.packs.end());
  }
  return read;
}

}  // namespace cairn
