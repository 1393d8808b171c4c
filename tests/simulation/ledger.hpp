// The invariants, by set arithmetic over a simulated store: after every effect on it, each snapshot that a listing
// would show has all its packs, and each that somebody was told is pinned is there.
#pragma once

#include "bucket.hpp"
#include "codec/digest.hpp"
#include "world.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cairn::sim {

class Ledger {
 public:
  Ledger(World& world, const Bucket& bucket) : m_world(world), m_bucket(bucket) {}

  // After an object was put. run: the number of the process that did it; a pack's name is never used by two. vouched:
  // its writer read the marks so recently that the protocol vouches for the packs.
  //
  // Where it is not, the machine stood still for days between the last look at the marks and the effect of the PUT.
  // No protocol without a PUT that the store refuses by condition can help that: the writer finds out afterwards, and
  // repairs or fails. Such a snapshot counts from the moment its writer says that it is committed.
  void put(const std::string& key, const Bytes& bytes, bool vouched, std::size_t run);
  // Before an object is removed. pins_listed: when the process that does it last began to list the pins, by the world's
  // clock. A machine that stands still within the request to remove a manifest cannot be helped, see put().
  void remove(const std::string& key, std::optional<Time> pins_listed);
  // A writer was told that the snapshot is committed.
  void committed(const Digest& id);
  // Somebody was told that a manifest is there again.
  void restored(const std::string& key);
  // Somebody is about to pin a snapshot, or to take its pin off; and was told that it is done.
  struct PinAttempt {
    Digest id;
    Time began;
    bool pin;
  };
  PinAttempt begin_pin(const Digest& id, bool pin);
  void end_pin(const PinAttempt& attempt, bool well);
  // Whether the snapshot's packs have to be there.
  bool counts(const Digest& id) const { return !m_doubtful.contains(id); }
  // An attacker put it: nobody relies on it, though an undo may put it back.
  void forged(const std::string& key) { m_forged.insert(key); }
  bool is_forged(const std::string& key) const { return m_forged.contains(key); }
  // Whether one of its manifests is there, of those that hosts put.
  bool has(const Digest& id) const {
    const auto found = m_of.find(id);
    return found != m_of.end() && !found->second.empty();
  }

  // The snapshots of which that is so.
  std::set<Digest> snapshots() const;

  // Packs put, again and again ones counted each time, retries of one PUT once.
  std::size_t packs_put() const noexcept { return m_packs_put; }
  std::size_t packs_removed() const noexcept { return m_packs_removed; }
  std::size_t manifests_put() const noexcept { return m_manifests_put; }
  std::size_t manifests_removed() const noexcept { return m_manifests_removed; }

 private:
  struct Manifest {
    Digest id;
    std::map<std::string, std::uint64_t> packs;  // keys and sizes
  };
  // gone: a pack that is there and about to go.
  void check(const Digest& id, const std::string& after, const std::string& gone = {});
  void check_unpinned(const Digest& id, const std::string& key, std::optional<Time> pins_listed);
  bool whole(const Manifest& manifest, const std::string& gone) const;

  World& m_world;
  const Bucket& m_bucket;
  std::map<std::string, Manifest> m_manifests;               // by key; those there
  std::map<std::string, std::set<std::string>> m_needed_by;  // pack key to manifest keys
  std::map<Digest, std::set<std::string>> m_of;              // snapshot to its manifest keys
  std::set<Digest> m_doubtful;
  std::set<std::string> m_forged;                 // keys
  std::map<Digest, Time> m_pinned;                // since when somebody relies on it
  std::map<Digest, Time> m_unpinned;              // when somebody last began to take a pin off
  std::map<std::string, std::size_t> m_ever_put;  // pack key to run
  std::size_t m_packs_put = 0;
  std::size_t m_packs_removed = 0;
  std::size_t m_manifests_put = 0;
  std::size_t m_manifests_removed = 0;
};

}  // namespace cairn::sim
