// The small objects beside snapshots: pending records of runs under way and marks of prune. See cairn-format(5).
#pragma once

#include "repo/json_fields.hpp"
#include "repo/manifest.hpp"
#include "repo/pack.hpp"
#include "util/time.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// The shortest grace of a prune while others use the store: what a writer has to expect of one that it knows nothing
// of.
inline constexpr Nanoseconds k_shortest_shared_grace = std::chrono::hours{1};

// Packs that a run stored since its last record. Prune takes them as referenced while the newest record of the run is
// younger than the grace; a later run of the same host leans on them.
struct PendingRecord {
  std::string run;           // 32 hex digits
  std::uint64_t number = 1;  // 1, 2, ... within the run
  std::string host;
  Time created;
  std::vector<PackRef> packs;
  bool closed = false;  // sealed, and no key at hand opens it: host and logical ids are not there
  // Over pending_line(), of the object it was read from; and that digest of it, where there are any.
  std::vector<Signature> signatures = {};
  Digest unsigned_digest = {};

  // Host and logical ids are sealed where the keys seal. signer: null: it is not signed.
  std::string text(const Keyring& keys = no_keys(), const StoreSigner* signer = nullptr) const;
  static PendingRecord parse(std::string_view text, std::string_view what, const Keyring& keys = no_keys());
};

// The line that the host signs which writes a pending record: "cairn-pending 1 STORE-ID RUN NUMBER SHA256\n".
// unsigned_digest: of the object as it is without its member "signatures", which is the last one.
std::string pending_line(const std::string& store_id, const PendingRecord& record, const Digest& unsigned_digest);

// One prune run's word: these packs are condemned, these manifests I saw, these I removed (with their bytes).
struct Mark {
  struct Removed {
    std::string key;  // of the manifest
    // The whole object, which fits its key: prune --undo puts it back. Empty if it could not be read (set aside), or
    // had gone when the mark was made.
    std::string bytes;
  };
  Time time;           // by the store's clock
  Time newest_object;  // newest object time that the run saw: a mark older than that is void; see restores_before()
  std::vector<Digest> packs;
  std::vector<std::string> seen;  // keys of all manifests that the run saw and that stay
  std::vector<Removed> removed;
  std::vector<std::string>
      restored;  // keys of manifests that are there although an earlier mark says they were removed

  std::string text() const;
  // drop: only undo needs what was removed, and it may be much. `bytes` is checked, and left empty.
  enum class RemovedBytes { drop, keep };
  static Mark parse(std::string_view text, std::string_view what, RemovedBytes bytes = RemovedBytes::keep);
};

// Error(damaged) where the name of the object says something else than its content.
void check_key(const Mark& mark, std::string_view key);
void check_key(const PendingRecord& record, std::string_view key);

struct StoredMark {
  std::string key;
  Time modified;  // by the store's clock
  Mark mark;
};

}  // namespace cairn
