// The plan of a prune, decided from what was listed and read: pure, no store is asked. Rules: two-phase prune, see
// commit_protocol.hpp for the writers' half and pruner.hpp for the order in which a plan is carried out.
//
//   - Every manifest that is listed keeps its packs, whoever signed it and whether or not this run removes it; so does
//     a run whose newest pending record is younger than the grace.
//   - Packs that nothing keeps once this run's removals are done are marked, unless they are younger than the grace.
//     One that a manifest removed now still named gets a new mark, whatever marks it has.
//   - A pack is deleted if nothing kept it when the run began and the newest valid mark on it is older than the grace.
//     A mark is void if it says to be older than the newest object it saw.
//   - Every manifest that some mark saw is listed, or a mark says that it was removed and no later one that it was
//     restored; else the listing cannot be trusted and nothing is done at all. A mark restores a manifest as far as it
//     saw: a removal that is newer than all that it saw holds.
//   - Of a snapshot that has several manifests, those go that name a pack which is condemned or not there, once a later
//     one names none: it was repaired. Where keys are trusted that one must have a list of packs that one of them
//     signed, else whoever can put objects could put another manifest beside each, and have the first ones removed; and
//     those without go then, whatever they name.
//   - A manifest that stays although it was recorded as removed (a run ended early, or it was pushed once more) is
//     recorded as restored, once the run that meant to remove it cannot be under way any more.
//   - A mark or a pending record that cannot be read stops everything, too, until it is set aside by name. Its content
//     is not known, so nothing is deleted then, and the mark that is written takes its place before it goes: on all
//     that nothing keeps the grace begins anew, and for a mark that is on every pack which no manifest names and which
//     is no newer than that mark, held by a run under way or not. So whoever reads the marks finds condemned, at any
//     time, what the lost one condemned, and no plan that was made from the lost one deletes what somebody leans on.
//     (Packs that manifests name, which a repair condemned as damaged, are for verify to find again. A manifest that
//     only that mark recorded as removed is missing from listings without a reason: it must be given up by name, too.)
//   - Times are the store's. A clock that is behind an object, or more than 30 days past all of them, deletes nothing
//     until somebody says that it is right.
#pragma once

#include "engine/prune/retention.hpp"
#include "repo/notes.hpp"
#include "util/error.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace cairn {

// Everything that was listed and read.
struct PruneEvidence {
  // Packs that are listed or named by something, each name once; others refer to them by index.
  struct Pack {
    Digest name;
    bool listed = true;
    std::uint64_t size = 0;  // as listed
    Time modified;
  };
  struct StoredManifest {
    std::string key;
    std::string series;
    Time cut_point;
    Time stored_at;
    std::uint64_t size = 0;
    Digest id;
    std::vector<std::uint32_t> packs;
    std::vector<std::string> requires_prune;  // features it asks for that this program does not know
    bool trusted = true;                      // else it counts for nothing but keeps its packs
    bool vouched = true;                      // where keys are trusted: one of them signed which packs they are
    bool from_store = true;                   // read there by this run; else this host's cache had it
    Wholeness wholeness = Wholeness::complete;
  };
  // An object below snapshots/ that cannot be read as a manifest, or a mark or pending record that cannot be read.
  struct Unreadable {
    std::string key;
    Time stored_at;
    Error error;
  };
  struct StoredPending {
    std::string key;
    std::string run;
    Time modified;
    std::vector<std::uint32_t> packs;
  };
  std::vector<Pack> packs;
  std::vector<StoredManifest> manifests;  // ascending by key
  std::vector<Unreadable> unreadable;
  std::vector<StoredMark> marks;  // `bytes` of what they removed are not looked at
  std::vector<StoredPending> pending;
  std::vector<Unreadable> unreadable_notes;  // marks and pending records
  std::set<Digest> pinned;
  std::map<Digest, Proven> proven;  // those of which the newest drill passed
  // By the store's clock, before anything was listed, and after. A grace counts as over only if it was so when
  // manifests were listed: one that was committed later relies on a run that sees it.
  Time since;
  Time now;
};

struct PruneSettings {
  enum class Scope {
    prune,
    forget,  // removes manifests and marks packs; deletes nothing
  };
  Scope scope = Scope::prune;
  std::chrono::nanoseconds grace = std::chrono::days{7};
  bool exclusive = false;  // nobody else uses the store: a grace below an hour is allowed
  bool clock_ok = false;   // the store's clock is right, however it looks
  // Keys of manifests that cannot be read, or are lost, and of marks and pending records that cannot be read: given up.
  std::set<std::string> set_aside;
};

struct PrunePlan {
  struct Snapshot {
    Digest id;
    Time cut_point;
    std::vector<std::string> keys;  // of its manifests
    bool pinned = false;
    RetentionDecision decision;
  };
  struct Series {
    std::string name;
    std::vector<Snapshot> snapshots;  // oldest first
  };
  struct Amount {
    std::uint64_t packs = 0;
    std::uint64_t bytes = 0;
  };

  std::vector<Series> series;                   // every series, by name
  std::vector<std::string> removed_manifests;   // keys, those set aside too
  std::vector<std::string> lost_manifests;      // set aside, and not there any more: only recorded as removed
  std::vector<std::string> staying_manifests;   // keys: what the mark says it saw
  std::vector<std::string> restored_manifests;  // keys, of those that stay: their removal records are void
  std::vector<Digest> marked_packs;
  std::vector<Digest> deleted_packs;
  std::vector<std::string> deleted_marks;  // in this order
  std::vector<std::string> deleted_pending;
  std::vector<std::string> notes_given_up;  // marks and pending records: keys. They go before deleted_marks
  Time mark_time;
  Time newest_object;

  Amount freed_now;   // deleted_packs
  Amount marked_now;  // freed once the grace is over, if nothing changes
  Amount waiting;     // marked by earlier runs, their grace not over
  Amount kept;        // by manifests that stay and runs under way
  Amount young;       // unreferenced, too young to be marked

  // Why nothing may be done; execute only where there is none.
  std::vector<Error> stops;

  bool writes_mark() const noexcept {
    return !removed_manifests.empty() || !lost_manifests.empty() || !restored_manifests.empty() ||
           !marked_packs.empty() || !notes_given_up.empty();
  }
  bool empty() const noexcept {
    return !writes_mark() && deleted_packs.empty() && deleted_marks.empty() && deleted_pending.empty();
  }
};

// A prune that stood still for so long gives up (pruner.hpp): a manifest that is there longer after its removal was
// recorded stays.
inline constexpr std::chrono::hours k_removal_settled{2};

// decisions: by snapshot id; one that is not in it is kept, with no reason. Throws Error(usage) for a grace below an
// hour without exclusive, and for a key set aside that is neither damaged nor lost.
PrunePlan plan_prune(const PruneEvidence& evidence, const std::map<Digest, RetentionDecision>& decisions,
                     const PruneSettings& settings);

// Where a mark stands among others, whatever the clock did: a mark that saw another one comes after it or with it.
// stored_at: of its object.
Time order_of(const Mark& mark, Time stored_at) noexcept;

// A mark that restores a manifest makes void the removal records of marks before this time in that order: those that it
// can have seen. Listings that lag may have kept later ones from it.
Time restores_before(const Mark& mark, Time stored_at) noexcept;

// Manifests that are recorded as removed and not as restored since, with the order of the newest such record.
std::map<std::string, Time> removal_records(const std::vector<StoredMark>& marks);

// Whether a mark says to be older than the newest object it saw: its time cannot be relied on.
bool is_void(const Mark& mark) noexcept;

// The manifest cannot be read, and nobody set it aside: prune stops. It has the cause's kind.
Error unreadable_manifest(const std::string& key, const Error& cause);

}  // namespace cairn
