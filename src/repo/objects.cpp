#include "repo/objects.hpp"

#include "repo/layout.hpp"
#include "util/file.hpp"

namespace cairn {

std::unordered_map<Digest, std::uint64_t, DigestHash> pack_sizes(ObjectStore& store) {
  std::unordered_map<Digest, std::uint64_t, DigestHash> sizes;
  store.list(layout::k_packs, [&](const ObjectInfo& info) {
    if (const auto name = layout::parse_pack_key(info.key)) sizes.emplace(*name, info.size);
  });
  return sizes;
}

std::string put_mark(ObjectStore& store, const Mark& mark) {
  std::string key = layout::mark_key(mark.time, random_name(16));
  store.put(key, ObjectBody::from_text(mark.text()));
  return key;
}

}  // namespace cairn
