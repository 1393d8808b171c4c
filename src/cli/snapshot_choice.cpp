#include "cli/snapshot_choice.hpp"

#include "engine/choose/dated_ahead.hpp"
#include "engine/choose/reference.hpp"
#include "engine/prune/retention.hpp"
#include "repo/future_dated.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

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

// When the first manifest of each snapshot came to the store.
class FirstStored {
 public:
  explicit FirstStored(const std::vector<ManifestInfo>& manifests) {
    for (const auto& info : manifests) {
      const auto [at, added] = m_first.emplace(rank(info), info.stored_at);
      if (!added) at->second = std::min(at->second, info.stored_at);
    }
  }
  Time of(const ManifestInfo& info) const { return m_first.at(rank(info)); }

 private:
  using Rank = std::tuple<std::string, Time, std::string>;
  static Rank rank(const ManifestInfo& info) { return {info.name.series, info.name.cut_point, info.name.id}; }
  std::map<Rank, Time> m_first;
};

}  // namespace

void SnapshotChoice::declare(OptionSet& options) {
  options.operand("REF", reference, OptionSet::Required::yes,
                  "the snapshot: latest, a series, SERIES@TIME, or the first 8 or more digits of its id");
  options.value("--series", "NAME", series, "the series of the snapshot, where REF is latest");
}

ChosenManifests choose_manifests(const std::vector<ManifestInfo>& manifests, const std::string& reference,
                                 const std::optional<std::string>& series, Time now, const ChoiceFacts& facts) {
  Reference parsed = parse_reference(reference);
  if (auto* id = std::get_if<IdReference>(&parsed)) id->prefix.resize(std::min(id->prefix.size(), k_digits_in_name));
  const FirstStored first_stored{manifests};
  std::vector<ReferenceCandidate> candidates;
  candidates.reserve(manifests.size());
  for (const auto& info : manifests) {
    const bool future = is_future_dated(info.name.cut_point, first_stored.of(info));
    candidates.push_back({.id = id_in_name(info),
                          .series = info.name.series,
                          .cut_point = info.name.cut_point,
                          .trusted = !facts.untrusted.contains(info.key),
                          .ahead = future                               ? Ahead::of_store
                                   : facts.of_clocks.contains(info.key) ? Ahead::of_clocks
                                                                        : Ahead::no});
  }
  std::vector<std::size_t> passed_over;
  ChosenManifests out;
  out.copies = copies_of(manifests.at(resolve_reference(parsed, candidates, series, now, &passed_over)), manifests);
  for (const std::size_t i : passed_over) {
    const bool known = !out.passed_over.empty() && same_snapshot(out.passed_over.back().name, manifests[i].name);
    if (!known) out.passed_over.push_back(manifests[i]);
  }
  return out;
}

std::set<std::string> keys_ahead_of_clocks(ObjectStore& store, const std::vector<ManifestInfo>& manifests, Time now) {
  DatedAhead dated_ahead{store, now};
  const FirstStored first_stored{manifests};
  std::set<std::string> out;
  for (const auto& info : manifests) {
    if (dated_ahead(info.name.cut_point, first_stored.of(info)) == Ahead::of_clocks) out.insert(info.key);
  }
  return out;
}

void warn_of_passed_over(const std::vector<ManifestInfo>& passed_over, Reporter& reporter) {
  if (passed_over.empty()) return;
  const auto& newest = passed_over.front();
  const std::string others =
      passed_over.size() == 1 ? "" : fmt::format(", and {} more of its series,", passed_over.size() - 1);
  reporter.warning(
      fmt::format("snapshot {} of series {}, dated {}{} was passed over: a clock was ahead when it was taken"
                  "; its id names it",
                  newest.name.id, quote(newest.name.series), format_time_short(newest.name.cut_point),
                  others.empty() ? "," : others));
}

ChosenSnapshot make_chosen(CopyRead::Copy read, std::vector<ManifestInfo> copies) {
  ChosenSnapshot chosen;
  chosen.info.object = std::move(read.info);
  chosen.manifest = std::move(read.manifest);
  std::erase_if(copies, [&](const ManifestInfo& info) { return info.key == chosen.info.object.key; });
  chosen.info.others = std::move(copies);
  const Manifest& manifest = chosen.manifest;
  chosen.info.id = manifest.id;
  chosen.info.record = manifest.record;
  chosen.info.facts = manifest.facts;
  chosen.info.closed = manifest.closed;
  chosen.info.signer = manifest.signer;
  chosen.info.trusted = manifest.trusted;
  return chosen;
}

ChosenSnapshot find_snapshot(Repository& repository, const SnapshotChoice& choice, Time now, Reporter& reporter) {
  return find_snapshot(repository, choice, repository.manifests().list(), now, reporter);
}

ChosenSnapshot find_snapshot(Repository& repository, const SnapshotChoice& choice,
                             const std::vector<ManifestInfo>& manifests, Time now, Reporter& reporter,
                             std::size_t* left_out_given) {
  const std::string& reference = choice.reference.value();
  ChosenSnapshot chosen;
  const auto parsed = parse_reference(reference);
  const auto* id = std::get_if<IdReference>(&parsed);
  const bool any = id != nullptr && choice.untrusted == SnapshotChoice::Untrusted::taken_by_id;
  ChoiceFacts facts;
  facts.of_clocks = keys_ahead_of_clocks(repository.store(), manifests, now);
  std::size_t left_out = 0;
  for (;; ++left_out) {
    auto [copies, passed_over] = choose_manifests(manifests, reference, choice.series, now, facts);
    auto read = read_best_copy(repository, copies);
    if (!read.found && any) read = read_best_copy(repository, copies, CopyTrust::not_asked);
    if (read.found) {
      chosen = make_chosen(std::move(*read.found), std::move(copies));
      warn_of_passed_over(passed_over, reporter);
      break;
    }
    for (const Error& e : read.failures) {
      // Where signatures are asked for, what cannot be read has none.
      if (any || e.kind() != ErrorKind::damaged || !repository.trust().demands_signature()) throw Error(e);
      reporter.warning(e.message());
    }
    // It does not exist, or, where it was named by its id, is refused the next time.
    for (const auto& info : copies) facts.untrusted.insert(info.key);
  }
  if (left_out_given != nullptr) *left_out_given = left_out;
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
  return chosen;
}

}  // namespace cairn
