// Removes snapshots, by retention or by name, and in time the packs that nothing needs any more: gather, plan, execute.
//
// Order of execution, and what is left if the run ends between any two steps:
//   1. Mark objects are put: the packs that will be unreferenced, every manifest that stays, and the bytes of each that
//      goes, which fit its name. Ends here: the manifests are all there and keep their packs; the next run removes them
//      again and marks their packs anew, because it finds them referenced.
//   2. Manifests are deleted, but for those that turn out to be pinned. Ends in between: as after 1 for those left; the
//      removal record of the others is in the store already, so nobody takes the shorter listing for a wrong one.
//   3. Packs are deleted whose grace was over when the run began. Ends in between: the rest is still marked, and the
//      next run deletes it. No manifest names them, and no writer leans on a marked pack.
//   4. Marks and pending records that are given up go: the mark of step 1 stands in for them. Then old marks, oldest
//      first, and old pending records: each only if nothing relies on it any more.
// A run that stood still for an hour between two steps gives up: its plan may be older than an undo, or than the grace.
// So the store is right after each step, and a next run completes what is left: it looks at the store alone.
//
// The host's cache spares reading each manifest again, where its size is the listed one. It cannot tell whether the
// object is still whole. So, before a run that carries its plan out removes a manifest, it reads from the store every
// one that stays in the same series: those are why this one may go, whichever rule keeps them.
//
// Room engine/prune: the one that removes: manifests, packs and notes, and what may stop it (pins, leases).
#pragma once

#include "engine/context.hpp"
#include "engine/prune/lease.hpp"
#include "engine/prune/prune_plan.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cairn {

struct PruneRequest {
  PruneSettings settings;  // scope is set from forget
  // The retention of a series; nothing, or one without a rule: its snapshots are left alone.
  std::function<std::optional<RetentionPolicy>(const std::string& series)> policy;
  // Only this series is subject to retention (nothing: all). Packs are looked at in the whole store.
  std::string series;
  // Instead of retention: exactly these snapshots. One that is not there is Error(not_found), a pinned one
  // Error(usage).
  std::optional<std::vector<Digest>> forget;
  // Bytes of removed manifests in one mark object; a run that removes more writes several.
  std::uint64_t mark_bytes = 16ULL << 20;
};

struct PruneResult {
  std::uint64_t manifests_removed = 0;
  std::uint64_t packs_marked = 0;
  std::uint64_t packs_deleted = 0;
  std::uint64_t bytes_deleted = 0;
  std::vector<std::string> marks_written;  // keys
};

enum class Apply { no, yes };

// One run. Used by one thread; reads in the io threads.
class Pruner {
 public:
  // Gathers and plans; writes nothing but, with Apply::yes, the lease, which is held until destruction. Errors: busy,
  // usage, a store that fails, a descriptor that asks for more than this program knows. Faults of the store's content
  // are in plan().stops.
  Pruner(Context& context, PruneRequest request, Apply apply);

  const PrunePlan& plan() const noexcept { return m_plan; }
  // Throws the first of plan().stops, if any, before it changes anything; as such, too, what is found damaged when it
  // is read for the mark, before anything is removed. Only with Apply::yes, once.
  PruneResult execute();

 private:
  void make_plan(const PruneEvidence& evidence);
  // Reads from the store what the plan relies on and came from the cache: every manifest that stays in a series of
  // which one goes. Whether each is as the cache had it. One that is not is among the unreadable afterwards, or has
  // gone: the plan is another one then.
  bool read_what_stays(PruneEvidence& evidence);
  std::map<Digest, RetentionDecision> decide(const PruneEvidence& evidence) const;
  std::map<Digest, RetentionDecision> decide_forget(const PruneEvidence& evidence) const;
  std::vector<std::string> write_marks();
  std::string removed_bytes(const std::string& key);
  void remove_all(const char* what, const std::vector<std::string>& keys);
  // A snapshot pinned since the plan was made, or with a pin that the listings before left out, stays, although the
  // mark says that it goes: a later run records it as restored. After the mark is put: see pinner.hpp.
  void spare_pinned();
  void check_not_stalled();

  Context& m_context;
  PruneRequest m_request;
  std::optional<PruneLease> m_lease;
  PrunePlan m_plan;
  std::vector<std::string> m_settled;  // keys of manifests that are there or were removed
  Time m_checked;                      // store's clock
};

// Lists and reads everything that a plan is made from. from_store: keys of objects for which the cache will not do.
PruneEvidence gather_prune_evidence(Context& context, const std::set<std::string>& from_store = {});

struct UndoResult {
  std::vector<std::string> restored;  // manifests that were put back
  struct Lost {
    std::string key;
    std::string cause;
  };
  std::vector<Lost> lost;  // those that could not be: a pack is gone, or the mark does not have them whole
};

// Puts back the manifests that the newest prune (or forget) removed and that are not there now, each one whose bytes in
// the mark fit its name and whose packs are all there with their sizes. Nothing to put back: Error(not_found).
//
// A new mark is written afterwards: it says that the manifests were seen again, so that their older removal records no
// longer explain their absence from a listing, and renews the grace of their packs, which stay condemned (no writer
// leans on them) and are kept by the manifests. Within the grace this cannot fail; later a pack may be deleted by a
// prune that is running at the same time, which the lease keeps apart where the store has one, and which is told where
// it has not. With Apply::no nothing is changed.
UndoResult undo_prune(Context& context, Apply apply);

}  // namespace cairn
