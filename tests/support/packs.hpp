// Packs that a test writes down chunk by chunk.
#pragma once

#include "codec/zstd.hpp"
#include "repo/layout.hpp"
#include "repo/pack.hpp"
#include "store/object_store.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn::test {

// One chunk a text, `a_frame` chunks a frame; sealed where the keys seal.
inline PackRef put_pack(ObjectStore& store, const Keyring& keys, const std::vector<std::string>& texts,
                        std::size_t a_frame) {
  PackBuilder builder{std::nullopt, keys, PackContent::files};
  for (std::size_t i = 0; i < texts.size(); i += a_frame) {
    std::string raw;
    std::vector<PackBuilder::Chunk> chunks;
    for (std::size_t k = i; k < std::min(i + a_frame, texts.size()); ++k) {
      raw += texts[k];
      chunks.push_back({sha256(texts[k]), static_cast<std::uint32_t>(texts[k].size())});
    }
    builder.add_frame(zstd_compress(as_bytes(raw)), chunks);
  }
  const auto built = builder.finish();
  store.put(layout::pack_key(built.ref.name), ObjectBody::from_memory(built.memory));
  return built.ref;
}

}  // namespace cairn::test
