// From the REF of a command line to a snapshot.
#pragma once

#include "cli/options.hpp"
#include "repo/manifest.hpp"
#include "repo/objects.hpp"
#include "repo/repository.hpp"
#include "util/log.hpp"
#include "util/time.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cairn {

// Which snapshot a command is about. series: where REF is "latest".
struct SnapshotChoice {
  std::optional<std::string> reference;
  std::optional<std::string> series;
  // Where the command believes nothing that the snapshot says, as to remove it, one that is not trusted is taken, too,
  // if its id names it: by any other name it does not exist.
  enum class Untrusted { refused, taken_by_id };
  Untrusted untrusted = Untrusted::refused;
  void declare(OptionSet& options);  // REF and --series
};

// Resolves a reference among the manifests of a store, by their names alone: one listing, however many there are. An
// id has two manifests now and then: all of the snapshot's are returned, in the order of the listing. Throws what
// resolve_reference() throws.
struct ChoiceFacts {
  std::set<std::string> untrusted = {};  // keys of manifests that do not count
  std::set<std::string> of_clocks = {};  // keys of manifests that Ahead::of_clocks holds for
};
struct ChosenManifests {
  std::vector<ManifestInfo> copies;
  std::vector<ManifestInfo> passed_over;  // newer ones that are dated ahead, newest first
};
ChosenManifests choose_manifests(const std::vector<ManifestInfo>& manifests, const std::string& reference,
                                 const std::optional<std::string>& series, Time now, const ChoiceFacts& facts = {});

// The keys of those that clocks alone call dated ahead.
std::set<std::string> keys_ahead_of_clocks(ObjectStore& store, const std::vector<ManifestInfo>& manifests, Time now);
// That a name means an older snapshot than it seems to.
void warn_of_passed_over(const std::vector<ManifestInfo>& passed_over, Reporter& reporter);

struct ChosenSnapshot {
  SnapshotInfo info;  // pinned is left unset: that is a request of its own; others are not read
  Manifest manifest;
};
// Of one of the copies of a snapshot, all of which are given.
ChosenSnapshot make_chosen(CopyRead::Copy read, std::vector<ManifestInfo> copies);

// The same, and its manifest. One that is damaged is an error rather than a reason to take another snapshot; one that
// is not trusted (or, where signatures are asked for, cannot be read) is passed over. Of several manifests of its id
// read_best_copy() takes one; it is an error only where none can be read, and then the newest one's. It may be closed.
ChosenSnapshot find_snapshot(Repository& repository, const SnapshotChoice& choice, Time now, Reporter& reporter);
// The same among manifests that are listed already. left_out, where given: how many newer ones would have been meant,
// but are not trusted.
ChosenSnapshot find_snapshot(Repository& repository, const SnapshotChoice& choice,
                             const std::vector<ManifestInfo>& manifests, Time now, Reporter& reporter,
                             std::size_t* left_out = nullptr);

}  // namespace cairn
