// How a run adds to a store that others prune and write to at the same time: what it may lean on, how it says what it
// has stored so far, and what it checks around its commit. Snapshot and push share it. The rules and why they suffice
// are in cairn-format(5), WRITERS AND PRUNE.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/context.hpp"
#include "repo/cache.hpp"
#include "repo/manifest.hpp"
#include "repo/pack.hpp"

namespace cairn {

// The constructor lists marks and packs. store_pack() may be called from several threads; the rest by one.
class CommitProtocol {
 public:
  // run: 32 hex digits, new for each run. grace: prune's, for the rhythm of pending records.
  CommitProtocol(Context& context, std::string series, std::string run, std::chrono::nanoseconds grace);

  // Object names that some mark names: never to be leaned on.
  const std::unordered_set<Digest, DigestHash>& condemned() const noexcept { return m_condemned; }
  // Whether the listing of this run shows the pack with its right size.
  bool seen(const PackRef& ref) const;
  // Packs that earlier runs of this host stored and did not commit, by pending records and this host's journal; seen,
  // not condemned.
  std::vector<PackRef> adoptable();

  // Puts a finished pack; notes it for the next pending record, which is written every GiB and every quarter of the
  // grace.
  void store_pack(const PackBuilder::Built& built);
  void store_bytes(const PackRef& ref, const ObjectBody& body);
  // Writes a pending record of what no record names yet.
  void flush_pending();
  // For the way out on failure: flush_pending() as far as it goes.
  void abandon() noexcept;

  // Commits the manifest, whose packs must be stored or leaned on by now. Marks are read right before (and again before
  // a later attempt): a pack that was condemned meanwhile is stored again under a new name, its content read from the
  // condemned object, checked chunk by chunk. Looks once more after the commit; where a pack of the manifest is gone,
  // stores it again from what is left and commits a second manifest of the same id, or throws Error(failed).
  // Changes the pack names in the manifest accordingly; returns its key.
  std::string commit(Manifest& manifest);

 private:
  void read_marks();
  PackRef store_again(const PackRef& ref);
  bool replace_condemned(Manifest& manifest);

  Context& m_context;
  std::string m_run;
  std::chrono::nanoseconds m_grace;
  RunJournal m_journal;
  std::unordered_set<std::string> m_marks_read;
  std::unordered_set<Digest, DigestHash> m_condemned;
  std::unordered_map<Digest, std::uint64_t, DigestHash> m_listed;  // sizes

  std::mutex m_mutex;  // guards what follows
  std::vector<PackRef> m_unrecorded;
  std::uint64_t m_unrecorded_bytes = 0;
  std::uint64_t m_record_number = 0;
  std::chrono::steady_clock::time_point m_last_record;
};

}  // namespace cairn
