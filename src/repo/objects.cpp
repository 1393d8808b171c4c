#include "repo/objects.hpp"

#include "util/file.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace cairn {

std::unordered_map<Digest, std::uint64_t, DigestHash> pack_sizes(ObjectStore& store) {
  std::unordered_map<Digest, std::uint64_t, DigestHash> sizes;
  store.list(layout::k_packs, [&](const ObjectInfo& info) {
    if (const auto name = layout::parse_pack_key(info.key)) sizes.emplace(*name, info.size);
  });
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

CopyRead read_any_copy(Repository& repository, std::vector<ManifestInfo> copies, CopyTrust trust) {
  std::stable_sort(copies.begin(), copies.end(),
                   [](const ManifestInfo& a, const ManifestInfo& b) { return a.stored_at > b.stored_at; });
  CopyRead read;
  for (auto& info : copies) {
    try {
      Manifest manifest = repository.peek_manifest(info);
      if (!manifest.trusted && trust == CopyTrust::demanded) continue;
      read.found = CopyRead::Found{std::move(info), std::move(manifest)};
      break;
    } catch (const StoreError&) {
      throw;
    } catch (const Error& e) {
      const bool of_this_one =
          e.kind() == ErrorKind::damaged || e.kind() == ErrorKind::not_found || e.kind() == ErrorKind::failed;
      if (!of_this_one) throw;
      read.failures.push_back(e);
    }
  }
  if (!read.found) return read;
  for (const auto& failure : read.failures) {
    repository.reporter().warning(failure.message() + "; using another manifest of the same snapshot");
  }
  return read;
}

std::string put_mark(ObjectStore& store, const Mark& mark) {
  std::string key = layout::mark_key(mark.time, random_name(16));
  store.put(key, ObjectBody::from_text(mark.text()));
  return key;
}

}  // namespace cairn
