// The invariants, by set arithmetic over a simulated store: after every effect on it, each snapshot that a listing
// would show has all its packs.
#pragma once

#include "bucket.hpp"
#include "codec/digest.hpp"
#include "world.hpp"

#include <map>
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
  // Before an object is removed.
  void remove(const std::string& key);
  // A writer was told that the snapshot is committed.
  void committed(const Digest& id);
  // Whether the snapshot's packs have to be there.
  bool counts(const Digest& id) const { return !m_doubtful.contains(id); }

  // Packs put, again and again ones counted each time, retries of one PUT once.
  std::size_t packs_put() const noexcept { return m_packs_put; }
  std::size_t packs_removed() const noexcept { return m_packs_removed; }
  std::size_t manifests_put() const noexcept { return m_manifests_put; }
  std::size_t manifests_removed() const noexcept { return m_manifests_removed; }

 private:
  struct Manifest {
    Digest id;
    std::set<std::string> packs;  // keys
    std::size_t missing = 0;
  };
  void check(const Digest& id, const std::string& after);

  World& m_world;
  const Bucket& m_bucket;
  std::map<std::string, Manifest> m_manifests;               // by key; those there
  std::map<std::string, std::set<std::string>> m_needed_by;  // pack key to manifest keys
  std::set<Digest> m_doubtful;
  std::map<std::string, std::size_t> m_ever_put;  // pack key to run
  std::size_t m_packs_put = 0;
  std::size_t m_packs_removed = 0;
  std::size_t m_manifests_put = 0;
  std::size_t m_manifests_removed = 0;
};

}  // namespace cairn::sim
