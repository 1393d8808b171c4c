// Names of objects, as a listing has them: pins, marks, pending records, packs, manifests, descriptors.
#include "repo/layout.hpp"
#include "samples.hpp"
#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

void run(std::string_view input) {
  const std::string key{input};
  if (const auto k = layout::parse_descriptor_key(key)) {
    require(layout::descriptor_key(k->generation, k->sha256) == key, "a descriptor has one name");
  }
  if (const auto k = layout::parse_pack_key(key)) require(layout::pack_key(*k) == key, "a pack has one name");
  if (const auto k = layout::parse_pending_key(key)) {
    require(layout::pending_key(k->run, k->number) == key, "a pending record has one name");
  }
  if (const auto k = layout::parse_mark_key(key)) {
    require(layout::mark_key(*k, key.substr(key.size() - 37, 32)) == key, "a mark has one name");
  }
  if (const auto k = layout::parse_pin_key(key)) {
    require(layout::pin_key(k->id, k->time, k->pinned, key.substr(key.size() - 21, 16)) == key, "a pin has one name");
  }
  if (const auto k = layout::parse_drill_key(key)) {
    Digest id;
    for (std::size_t i = 0; i < 8; ++i) id.bytes[i] = (*from_hex(k->id))[i];
    require(layout::drill_key(k->series, k->time, id, key.substr(key.size() - 21, 16)) == key,
            "a drill record has one name");
  }
  if (const auto k = layout::parse_manifest_key(key)) {
    Digest id;
    Digest object;
    for (std::size_t i = 0; i < 8; ++i) {
      id.bytes[i] = (*from_hex(k->id))[i];
      object.bytes[i] = (*from_hex(k->sha256))[i];
    }
    require(layout::manifest_key(k->series, k->cut_point, id, object) == key, "a manifest has one name");
  }
}

std::vector<std::string> seeds() {
  const Time time = *parse_time("2026-11-21T03:24:10.123456789Z");
  const Digest digest = sha256(std::string_view{"x"});
  return {layout::descriptor_key(12, digest),
          layout::pack_key(digest),
          layout::pending_key(std::string(32, 'a'), 3),
          layout::mark_key(time, std::string(32, 'b')),
          layout::pin_key(digest, time, true, std::string(16, 'c')),
          layout::pin_key(digest, time, false, std::string(16, 'c')),
          layout::manifest_key("db", time, digest, digest),
          layout::drill_key("db", time, digest, std::string(16, 'c'))};
}

const fuzz::Registration k_registration{{"object_names", run, seeds}};

}  // namespace
