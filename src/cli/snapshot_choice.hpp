// From the REF of a command line to a snapshot.
#pragma once

#include "cli/options.hpp"
#include "repo/manifest.hpp"
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
// id has two manifests now and then: all of the snapshot's are returned, in the order of the listing. untrusted: keys
// of manifests that do not count. Throws what resolve_reference() throws.
std::vector<ManifestInfo> choose_manifests(const std::vector<ManifestInfo>& manifests, const std::string& reference,
                                           const std::optional<std::string>& series, Time now,
                                           const std::set<std::string>& untrusted = {});

struct ChosenSnapshot {
  SnapshotInfo info;  // pinned is left unset: that is a request of its own
  Manifest manifest;
};

// The same, and its manifest. One that is damaged is an error rather than a reason to take another snapshot; one that
// is not trusted (or, where signatures are asked for, cannot be read) is passed over. Of several manifests of its id
// read_best_copy() takes one; it is an error only where none can be read, and then the newest one's. It may be closed.
ChosenSnapshot find_snapshot(Repository& repository, const SnapshotChoice& choice, Time now, Reporter& reporter);

}  // namespace cairn
