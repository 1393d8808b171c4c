// One open store and the objects of the format in it, by what they are: packs, manifests, notes. All methods are
// thread-safe.
#pragma once

#include "repo/descriptor_objects.hpp"
#include "repo/drill_store.hpp"
#include "repo/manifest_store.hpp"
#include "repo/note_store.hpp"
#include "repo/own_packs.hpp"
#include "repo/pack_reader.hpp"
#include "repo/repository_basis.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace cairn {

struct RepositoryOptions {
  fs::path cache_root;                           // empty: no cache
  std::uint64_t directory_memory = 16ULL << 20;  // bytes of decoded directories kept in memory
  std::shared_ptr<const Keyring> keys;           // nothing: no_keys()
  TrustPolicy trust;
  std::optional<Descriptor> descriptor;  // if it was read already
  // Signs what is stored; called at most once, and only where something is. Its failure is a warning.
  HostSigningKey::Load signing_key;
  // Of the descriptor's store; empty: nothing is kept.
  std::function<fs::path(const std::string& store_id)> own_packs;
  ThreadPool* io = nullptr;  // for many small objects at a time; outlives the repository
};

class Repository {
 public:
  // Throws what read_descriptor() throws. The store must have been told before what the descriptor says of it: see
  // tell_store().
  Repository(ObjectStore& store, Reporter& reporter, RepositoryOptions options);

  PackReader& packs() noexcept { return m_packs; }
  ManifestStore& manifests() noexcept { return m_manifests; }
  const ManifestStore& manifests() const noexcept { return m_manifests; }
  NoteStore& notes() noexcept { return m_notes; }
  DrillStore& drills() noexcept { return m_drills; }
  // The packs that this host stored here, as its state has them.
  OwnPacks& own_packs() noexcept { return m_own_packs; }

  ObjectStore& store() noexcept { return m_basis.store; }
  Reporter& reporter() noexcept { return m_basis.reporter; }
  const Descriptor& descriptor() const noexcept { return m_basis.descriptor; }
  const Cache& cache() const noexcept { return m_basis.cache; }
  // The keys that objects of this store are sealed to and opened with.
  const Keyring& keys() const noexcept { return *m_basis.keys; }
  const TrustPolicy& trust() const noexcept { return m_basis.trust; }
  // The key that this host signs with here; null: nothing is signed.
  const minisign::SecretKey* signing_key() const { return m_basis.signing_key.get(); }
  // Whether it matters who says which pack is which: keys are trusted here, or this host signs.
  bool vouches() const { return trust().demands_signature() || signing_key() != nullptr; }

  // Once a day, removes from the cache what the store does not have any more, for which it lists it. A store that
  // cannot be listed is no failure.
  void sweep_cache();

 private:
  static RepositoryBasis basis_of(ObjectStore& store, Reporter& reporter, RepositoryOptions& options,
                                  ThreadPool& no_threads);

  ThreadPool m_no_threads{0};
  const RepositoryBasis m_basis;
  OwnPacks m_own_packs;
  PackReader m_packs;
  NoteStore m_notes;
  DrillStore m_drills;
  ManifestStore m_manifests;
};

}  // namespace cairn
