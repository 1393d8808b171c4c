#include "cli/snapshot_choice.hpp"

#include "engine/reference.hpp"
#include "util/error.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_digits_in_name = 16;  // of an id, in a manifest's name

// The part of the id that the name has, the rest zero: enough to tell snapshots apart.
Digest id_in_name(const ManifestInfo& info) {
  const auto id = Digest::parse(info.name.id + std::string(64 - k_digits_in_name, '0'));
  if (!id) throw Error(ErrorKind::damaged, fmt::format("damaged manifest name {}", quote(info.key)));
  return *id;
}

}  // namespace

void SnapshotChoice::declare(OptionSet& options) {
  options.operand("REF", reference, OptionSet::Required::yes,
                  "the snapshot: latest, a series, SERIES@TIME, or the first 8 or more digits of its id");
  options.value("--series", "NAME", series, "the series of the snapshot, where REF is latest");
}

ManifestInfo choose_manifest(const std::vector<ManifestInfo>& manifests, const std::string& reference,
                             const std::optional<std::string>& series, Time now) {
  Reference parsed = parse_reference(reference);
  if (auto* id = std::get_if<IdReference>(&parsed)) id->prefix.resize(std::min(id->prefix.size(), k_digits_in_name));
  std::vector<ReferenceCandidate> candidates;
  candidates.reserve(manifests.size());
  for (const auto& info : manifests) {
    candidates.push_back({.id = id_in_name(info), .series = info.name.series, .cut_point = info.name.cut_point});
  }
  ManifestInfo chosen = manifests.at(resolve_reference(parsed, candidates, series, now));
  for (const auto& info : manifests) {
    const bool same = info.name.series == chosen.name.series && info.name.id == chosen.name.id;
    if (same && chosen.stored_at < info.stored_at) chosen = info;
  }
  return chosen;
}

ChosenSnapshot find_snapshot(Repository& repository, const SnapshotChoice& choice, Time now) {
  const std::string& reference = choice.reference.value();
  ChosenSnapshot chosen;
  chosen.info.object = choose_manifest(repository.list_manifests(), reference, choice.series, now);
  chosen.manifest = repository.load_manifest(chosen.info.object);
  const Manifest& manifest = chosen.manifest;
  const auto parsed = parse_reference(reference);
  const auto* id = std::get_if<IdReference>(&parsed);
  if (id != nullptr && !manifest.id.hex().starts_with(id->prefix)) {
    throw Error(ErrorKind::not_found, fmt::format("no snapshot {}", reference),
                fmt::format("the nearest id is {}", manifest.id.hex()));
  }
  chosen.info.id = manifest.id;
  chosen.info.record = manifest.record;
  chosen.info.facts = manifest.facts;
  const auto pins = repository.pins();
  const auto pin = pins.find(manifest.id);
  chosen.info.pinned = pin != pins.end() && pin->second;
  return chosen;
}

}  // namespace cairn
