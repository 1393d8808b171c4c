#include "cli/snapshot_choice.hpp"

#include "engine/reference.hpp"
#include "repo/objects.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <set>

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

std::vector<ManifestInfo> choose_manifests(const std::vector<ManifestInfo>& manifests, const std::string& reference,
                                           const std::optional<std::string>& series, Time now,
                                           const std::set<std::string>& untrusted) {
  Reference parsed = parse_reference(reference);
  if (auto* id = std::get_if<IdReference>(&parsed)) id->prefix.resize(std::min(id->prefix.size(), k_digits_in_name));
  std::vector<ReferenceCandidate> candidates;
  candidates.reserve(manifests.size());
  for (const auto& info : manifests) {
    candidates.push_back({.id = id_in_name(info),
                          .series = info.name.series,
                          .cut_point = info.name.cut_point,
                          .trusted = !untrusted.contains(info.key)});
  }
  return copies_of(manifests.at(resolve_reference(parsed, candidates, series, now)), manifests);
}

ChosenSnapshot find_snapshot(Repository& repository, const SnapshotChoice& choice, Time now, Reporter& reporter) {
  const std::string& reference = choice.reference.value();
  ChosenSnapshot chosen;
  const auto parsed = parse_reference(reference);
  const auto* id = std::get_if<IdReference>(&parsed);
  const bool any = id != nullptr && choice.untrusted == SnapshotChoice::Untrusted::taken_by_id;
  const auto manifests = repository.list_manifests();
  std::set<std::string> untrusted;
  std::size_t left_out = 0;
  for (;; ++left_out) {
    const auto copies = choose_manifests(manifests, reference, choice.series, now, untrusted);
    auto read = read_best_copy(repository, copies);
    if (!read.found && any) read = read_best_copy(repository, copies, CopyTrust::not_asked);
    if (read.found) {
      chosen.info.object = std::move(read.found->info);
      chosen.manifest = std::move(read.found->manifest);
      break;
    }
    for (const Error& e : read.failures) {
      // Where signatures are asked for, what cannot be read has none.
      if (any || e.kind() != ErrorKind::damaged || !repository.trust().demands_signature()) throw Error(e);
      reporter.warning(e.message());
    }
    // It does not exist, or, where it was named by its id, is refused the next time.
    for (const auto& info : copies) untrusted.insert(info.key);
  }
  if (left_out != 0) {
    // Each would have been taken before this one.
    reporter.warning(fmt::format("{} newer than snapshot {} left out: unsigned, or signed by a key that is not trusted",
                                 left_out == 1 ? "one snapshot was" : fmt::format("{} snapshots were", left_out),
                                 chosen.manifest.id.short_hex()));
  }
  const Manifest& manifest = chosen.manifest;
  if (id != nullptr && !manifest.id.hex().starts_with(id->prefix)) {
    throw Error(ErrorKind::not_found, fmt::format("no snapshot {}", reference),
                fmt::format("the nearest id is {}", manifest.id.hex()));
  }
  chosen.info.id = manifest.id;
  chosen.info.record = manifest.record;
  chosen.info.facts = manifest.facts;
  chosen.info.closed = manifest.closed;
  chosen.info.signer = manifest.signer;
  chosen.info.trusted = manifest.trusted;
  return chosen;
}

}  // namespace cairn
