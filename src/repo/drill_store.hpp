// The drill records of one open store.
#pragma once

#include "repo/drill_record.hpp"
#include "repo/repository_basis.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct StoredDrill {
  std::string key;
  Time stored_at;  // by the store's clock
  DrillRecord record;
  // As the repository's policy judges it: where keys are trusted, one of them signed it.
  bool trusted = true;
  std::optional<std::string> signer;
};

// Thread-safe.
class DrillStore {
 public:
  explicit DrillStore(const RepositoryBasis& basis) : m_basis(basis) {}

  // Of one series, or of all: ascending by key, so by series and then time. Nobody needs one to read a snapshot: one
  // that is damaged, or that only a later program can read, is passed over with a warning; so is one that says to be
  // of the future (it would be the newest for ever). Those that are not trusted are among them. What this host has
  // read before is not asked for again.
  std::vector<StoredDrill> list(const std::string& series = {});

  // The object of a record as it would be put here: sealed and signed for this store.
  std::string text_of(const DrillRecord& record) const;
  // Puts it under a name of its own, and returns its key. Error(failed) where writers need an unknown feature.
  std::string store(const DrillRecord& record);
  // The same of an object that text_of() made earlier, for a store that could not be written to then: under the name
  // that it was to have. That it is there already is no failure.
  void put(const std::string& key, std::string_view text);

 private:
  std::optional<StoredDrill> load(const ObjectInfo& info);

  const RepositoryBasis& m_basis;
};

// The newest record of each snapshot that can be relied on: trusted, and of the series.
using NewestDrills = std::map<Digest, StoredDrill>;
NewestDrills newest_drills(std::vector<StoredDrill> drills);

}  // namespace cairn
