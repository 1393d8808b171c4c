// How a writer (snapshot, push) gets along with prune: which packs it may lean on, what it records of those it stores,
// and the checks around its commit. Source: the two-phase rules modelled for the format, cairn-format(5), OTHER
// OBJECTS.
//
// Why it is safe. Prune deletes a pack only if a mark on it is older than the grace and its own listing shows no
// manifest that names it. How long that grace is a writer cannot know: it goes by the shortest that a prune beside
// others may have. The writer reads the marks at most 15 minutes (store's clock) before its manifest is put and
// leans on nothing that is marked, so a mark that condemns one of its packs was written after that and its grace ends
// long after the manifest can be seen. Where the put took longer than that (a suspended machine, a stalled connection),
// the marks are read again after the commit and packs that may be gone by then are stored again. Packs of this run that
// no manifest names yet are younger than the grace, or named by a pending record that is.
//
// Room engine/commit: what whoever writes to a store must keep to, and what may be leaned on there. Knows no source and
// no target.
#pragma once

#include "engine/commit/vouched_packs.hpp"
#include "engine/context.hpp"
#include "repo/cache.hpp"
#include "repo/manifest.hpp"
#include "repo/notes.hpp"
#include "repo/pack.hpp"
#include "util/file.hpp"
#include "util/thread_pool.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace cairn {

// The constructor reads the marks, lists the packs and reads the pending records of the store. store_pack() is
// thread-safe, keep_alive() for one thread while packs are stored, all else for one thread while no store_pack() is
// under way. Failures are StoreError, or Error(damaged) for a mark that cannot be read: what it condemns cannot be
// known.
class CommitProtocol {
 public:
  // run: 32 hex digits, new for each run. spool: where large packs are rebuilt if the store has no place of its own.
  CommitProtocol(Context& context, const std::string& series, std::string run,
                 std::optional<fs::path> spool = std::nullopt);
  CommitProtocol(const CommitProtocol&) = delete;
  CommitProtocol& operator=(const CommitProtocol&) = delete;

  // Packs that some mark names, void or not: condemned for ever.
  const std::unordered_set<Digest, DigestHash>& condemned() const noexcept { return m_condemned; }
  // In a listing of this run, or stored by it, with the size that the reference says, and not known to be damaged.
  bool seen(const PackRef& pack) const;
  // Whether the pack is there, and is to stay.
  bool usable(const PackRef& pack) const { return seen(pack) && !m_condemned.contains(pack.name); }
  // Whether a snapshot of the series may lean on the pack.
  bool may_lean(const PackRef& pack, const std::string& series) const {
    return usable(pack) && m_vouched.allows(pack, series);
  }
  VouchedPacks& vouched() noexcept { return m_vouched; }
  const VouchedPacks& vouched() const noexcept { return m_vouched; }
  // Reads packs that nobody vouches for, every chunk of them, so that they may be leaned on; says before what that
  // takes, and what of them is damaged. Returns those that no key at hand opens: of those nothing is read.
  std::vector<PackRef> read_whole(const std::vector<PackRef>& packs);

  // Usable packs of this host's earlier runs: from pending records and from the journals of runs of the series that
  // ended without a commit. Where keys are trusted only records that one of them signed count, and those of packs that
  // this host knows to have stored; may_lean() tells for which series. One a logical id.
  const std::vector<PackRef>& adoptable() const noexcept { return m_adoptable; }

  // Puts a pack durably. Journalled before, remembered (directory, size) after; writes a pending record where a GiB
  // has come together or 15 minutes have gone by. A file of `built` may be moved into the store; what is left of it
  // stays the caller's to remove.
  void store_pack(const PackBuilder::Built& built);
  // The same for a pack that nobody needs afterwards: what is left of its file is removed, stored or not.
  PackRef store_and_drop(const PackBuilder::Built& built);
  // The same for bytes that are a pack already.
  void store_bytes(const PackRef& ref, const ObjectBody& body);
  // For long stretches without a pack: has a pending record written if 15 minutes have gone by since the last. Does not
  // wait for the store, which must not hold up the reading of a source: an io thread writes it, and its failure is
  // thrown by a later call of this, flush_pending() or commit(). Cheap.
  void keep_alive();

  // Records the packs stored since the last record, and waits for what keep_alive() began. No-op where there are none.
  void flush_pending();
  // For the way out of a failed or interrupted run: flush_pending(), which the signal that came does not stop, and
  // which gives up soon (InterruptPause); its own failure is only reported. A record that keep_alive() began is waited
  // for before: a signal ends its writing.
  void abandon() noexcept;

  // Makes the content of a pack of the manifest, which is condemned or gone, available under a new name and returns
  // where it is now (same logical id). Error where that cannot be done.
  using StoreAgain = std::function<PackRef(const PackRef&)>;
  // Commits: checks the marks, has condemned packs stored again, puts the manifest, checks once more; where a pack may
  // have gone meanwhile, has it stored again and commits a second manifest of the same id, or throws. The manifest's
  // pack list is what was committed last. Returns that object's key. Several snapshots of a run may be committed one
  // after the other; finish() ends the run.
  std::string commit(Manifest& manifest, const StoreAgain& store_again);
  // Everything that was stored is committed: ends the journal, and looks after the cache.
  void finish();
  // A run of one snapshot: commit with store_pack_again() for StoreAgain, and finish().
  std::string commit(Manifest& manifest);
  // Reads a pack from this store, verifies every chunk, and stores it under a new name. Error(damaged) where it is gone
  // or wrong.
  PackRef store_pack_again(const PackRef& pack);

  // The times of the two clocks shortly before the last commit's manifest was put.
  struct Clocks {
    Time store;
    Time own;
  };
  const Clocks& clocks() const noexcept { return m_clocks; }

 private:
  void list_packs();
  bool opens(const PackRef& pack) const;
  // Reads marks that were not read yet.
  void read_marks();
  void adopt(const std::vector<ObjectInfo>& pending);
  struct NextRecord {
    std::uint64_t number;
    std::vector<PackRef> packs;
  };
  enum class When { due, now };
  // The content of the next record; nothing where none is due.
  std::optional<NextRecord> take_record(When when);
  void write_record(NextRecord next);
  void end_recording();
  void replace(PackRef& pack, const StoreAgain& store_again);
  void make_adopted_durable(const Manifest& manifest);
  // checked: store's clock, a moment ago.
  std::string put_checked(Manifest& manifest, const StoreAgain& store_again, Time checked);
  bool repair_after(Manifest& manifest, const StoreAgain& store_again, Time checked, bool listed);

  Context& m_context;
  std::string m_run;
  std::optional<fs::path> m_spool;
  RunJournal m_journal;
  VouchedPacks m_vouched;
  Time m_known_at;                                                // store's clock, before marks and packs were listed
  std::unordered_map<Digest, std::uint64_t, DigestHash> m_packs;  // sizes; m_mutex
  std::unordered_set<Digest, DigestHash> m_condemned;
  std::unordered_map<Digest, Time, DigestHash> m_marked;  // time of the oldest mark on it
  std::unordered_set<std::string> m_marks_read;           // keys
  bool m_mark_vanished = false;
  Clocks m_clocks{};
  std::vector<PackRef> m_adoptable;

  mutable std::mutex m_mutex;
  std::vector<PackRef> m_unrecorded;
  std::uint64_t m_unrecorded_bytes = 0;
  std::uint64_t m_records = 0;
  std::uint64_t m_stored = 0;
  std::chrono::steady_clock::time_point m_last_record;
  std::unique_ptr<Background<void>> m_recording;  // of keep_alive(); last, as its job uses all else
};

// Bytes of packs stored after which a pending record is due.
inline constexpr std::uint64_t k_pending_bytes = 1ULL << 30;
// Between two pending records of a run that stores packs: prune counts them as needed while the newest is younger than
// its grace.
inline constexpr Nanoseconds k_pending_interval = k_shortest_shared_grace / 4;
// Age of the writer's knowledge of the marks at its manifest's put, at most.
inline constexpr std::chrono::minutes k_marks_age{15};

}  // namespace cairn
