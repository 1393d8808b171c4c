// One open store and the objects of the format in it. Everything that is read is checked against what names it before
// it is returned; what does not pass is read once more before it is called damaged, with a warning where that helps.
// All methods are thread-safe.
#pragma once

#include "repo/cache.hpp"
#include "repo/descriptor.hpp"
#include "repo/layout.hpp"
#include "repo/manifest.hpp"
#include "repo/notes.hpp"
#include "repo/own_packs.hpp"
#include "repo/pack_directory.hpp"
#include "repo/pins.hpp"
#include "repo/trust.hpp"
#include "store/object_store.hpp"
#include "util/error.hpp"
#include "util/log.hpp"
#include "util/thread_pool.hpp"

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace cairn {

// For errors of kind not_found.
inline constexpr const char* k_init_hint =
    "create one with: cairn init --store STORE, and --recipient AGE or --no-encryption";

// A manifest as a listing shows it.
struct ManifestInfo {
  std::string key;
  layout::ManifestKey name;
  std::uint64_t size = 0;
  Time stored_at;  // by the store's clock
};

// Record and object name must agree, else a renamed manifest would pass for another snapshot. Error(damaged).
void check_name(const Manifest& manifest, const ManifestInfo& info);

// A snapshot as list shows it, by the head of its first manifest.
struct SnapshotInfo {
  ManifestInfo object;
  Digest id;
  Record record;
  Facts facts;          // empty where closed
  bool closed = false;  // sealed, and no key at hand opens it
  std::optional<std::string> signer;
  bool trusted = true;
  bool pinned = false;
  std::vector<ManifestInfo> others;  // further manifests of the id whose heads can be read
};

struct RepositoryOptions {
  fs::path cache_root;                           // empty: no cache
  std::uint64_t directory_memory = 16ULL << 20;  // bytes of decoded directories kept in memory
  std::shared_ptr<const Keyring> keys;           // nothing: no_keys()
  TrustPolicy trust;
  std::optional<Descriptor> descriptor;  // if it was read already
  // Signs what is stored; called at most once, and only where something is. What it throws is a warning.
  std::function<std::shared_ptr<const minisign::SecretKey>()> signing_key;
  // Of the descriptor's store; empty: nothing is kept.
  std::function<fs::path(const std::string& store_id)> own_packs;
  ThreadPool* io = nullptr;  // for many small objects at a time; outlives the repository
};

class Repository {
 public:
  // Makes the descriptor of a new store. The root is empty of Cairn's objects, else Error(usage) "already a store". Of
  // several at the same time one succeeds at most, and the store has one descriptor (or, rarely, none: Error(busy)).
  static Descriptor init(ObjectStore& store, const Descriptor& descriptor);

  // What init() throws where there is a store already.
  static Error is_a_store(const ObjectStore& store);
  // Whether there are snapshots or packs, with a descriptor or without.
  static bool has_content(ObjectStore& store);

  // The descriptor of the highest generation. None: Error(not_found) with a hint to run init.
  static Descriptor read_descriptor(ObjectStore& store);
  // Adds a generation. Error(busy) where somebody else did at the same time; Error(failed) where the one that it was
  // made from asks writers for an unknown feature, or has members that are not known and would be lost.
  static void put_descriptor(ObjectStore& store, const Descriptor& descriptor);

  // Throws what read_descriptor() throws.
  Repository(ObjectStore& store, Reporter& reporter, RepositoryOptions options);

  ObjectStore& store() noexcept { return m_store; }
  const Descriptor& descriptor() const noexcept { return m_descriptor; }
  const Cache& cache() const noexcept { return m_cache; }
  // This host found the pack damaged: it leans on it no more, and stores again what it held.
  void note_damaged(const PackRef& ref);
  std::vector<Digest> noted_damaged() const;
  // What objects of this store are sealed to and opened with.
  const Keyring& keys() const noexcept { return *m_keys; }

  const TrustPolicy& trust() const noexcept { return m_trust; }
  // What this host signs with here; null: nothing is signed.
  const minisign::SecretKey* signing_key() const;
  // Whether it matters who says which pack is which: keys are trusted here, or this host signs.
  bool vouches() const { return m_trust.demands_signature() || signing_key() != nullptr; }
  // What this host stored here, as its state has it.
  OwnPacks& own_packs() noexcept { return m_own_packs; }
  // Whether a key that is trusted for its series signed which packs they are.
  bool is_vouched(const Manifest& manifest) const;
  // The known keys that signed it. own: a key that counts where no key is trusted. stored_at: of the manifest.
  std::vector<std::string> list_signers(const Manifest& manifest, Time stored_at,
                                        const std::optional<std::string>& own) const;
  Reporter& reporter() noexcept { return m_reporter; }

  // Manifests by listing, ascending by key (series, then cut point). Keys that no manifest has are reported, not lost:
  // `unknown` collects them where given.
  std::vector<ManifestInfo> list_manifests(const std::string& series = {}, std::vector<std::string>* unknown = nullptr);
  // Whether a listing shows it now: one that is absent and listed is lost, else a prune removed it.
  bool is_listed(const ManifestInfo& info);
  // Snapshots, one an id, ascending by series and cut point. A manifest whose head cannot be read, or is not there
  // though it is listed, is reported as a warning and left out; `unreadable` collects their keys where given.
  std::vector<SnapshotInfo> list_snapshots(const std::string& series = {},
                                           std::vector<std::string>* unreadable = nullptr);
  // The whole manifest; its bytes fit its name. Error(damaged) or, where it has gone, Error(not_found). What comes from
  // the cache has the size that the listing shows: it says what the manifest is, and not that it is still whole there.
  enum class Cached { no, yes };  // no: what is in the store is what is asked about (verify)
  Manifest load_manifest(const ManifestInfo& info, Cached cached = Cached::yes);
  // The same, but one that no key at hand opens comes back closed instead of as Error(no_key).
  Manifest peek_manifest(const ManifestInfo& info, Cached cached = Cached::yes);
  std::string load_manifest_text(const ManifestInfo& info, Cached cached = Cached::yes);
  // What this host has in its cache, checked like anything else; nothing where that would take a request. A manifest
  // may be closed; nothing, too, where it is not what it should be, or only a later program can read it.
  std::optional<Bytes> cached_manifest_bytes(const ManifestInfo& info);
  std::optional<Manifest> cached_manifest(const ManifestInfo& info);
  std::shared_ptr<const PackDirectory> cached_directory(const PackRef& ref);
  // Commits. Returns the key. List::plain: which packs they are is not signed, though there may be a key.
  enum class List { plain, signed_if_possible };
  std::string store_manifest(const Manifest& manifest, List list = List::signed_if_possible);
  // Puts a pending record, signed where there is a key.
  void store_pending(const PendingRecord& record);

  // Of all snapshots, or of one. Twice where what one listing leaves out must not cost a snapshot its pin.
  enum class Listed { once, twice };
  Pins pins(Listed listed = Listed::once, const std::optional<Digest>& id = std::nullopt);
  // Adds a record that is newer than all of the id that count, whatever the store's clock says; none where the newest
  // says the same. Returns its key, or nothing where none was needed. series: of the snapshot; signing_key: null where
  // there is none. Error(untrusted) for an unpin that would count for nothing: keys are trusted, and none of them signs
  // it. Error(failed) where the newest pin is of the future, so that no unpin comes after it, and where writers need an
  // unknown feature. engine/prune/pinner.hpp is for those who need to know that it holds.
  std::optional<std::string> set_pin(const Digest& id, const std::string& series, bool pinned,
                                     const minisign::SecretKey* signing_key);

  // The directory of a pack, from memory, cache or store; its logical id was recomputed. Error(damaged) naming the
  // pack; Error(damaged) too where the pack is missing; Error(no_key).
  std::shared_ptr<const PackDirectory> directory(const PackRef& ref);
  // The same, from bytes of the pack that were read in another way: checked and kept like any.
  std::shared_ptr<const PackDirectory> take_directory(const PackRef& ref, ByteView stored);
  // Many of them side by side, so that directory() has them at hand, in memory or in the host's cache: as many as
  // take 32 MiB, without a cache as many as stay in memory, in this order. What is damaged is left to whoever needs it.
  // Returns how many, from the first.
  std::size_t fetch_directories(std::span<const PackRef> refs);
  // A directory this process just built, into the cache and not into memory: a later run need not read it back.
  void remember_directory(const PackRef& ref, const PackDirectory& directory);
  // Part of a pack's data part (offset counts from its start), decrypted where it is sealed. Exactly length bytes, else
  // Error(damaged); Error(no_key).
  Bytes read_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset, std::uint64_t length);
  // A pack's stored bytes; fewer where it ends before its reference says so. Error(damaged) where it is missing.
  Bytes read_pack(const PackRef& ref);
  // What read_data() would give of a sealed pack, from the bytes of its stored_range().
  Bytes unseal_data(const PackRef& ref, const PackDirectory& directory, std::uint64_t offset, std::uint64_t length,
                    ByteView stored);

  // Objects of marks/ and pending/. What has the name of neither is told of, once, and left alone: a file manager's
  // file in a directory must stop nobody.
  std::vector<ObjectInfo> list_marks();
  std::vector<ObjectInfo> list_pending();
  // All marks; an unreadable one is Error(damaged), one that prune removed meanwhile is left out. Without the bytes of
  // what was removed, what this host has read before is not asked for again.
  std::vector<StoredMark> marks(Mark::RemovedBytes bytes = Mark::RemovedBytes::drop) {
    return read_marks(list_marks(), bytes, Cached::yes, nullptr).marks;
  }
  struct UnreadableNote {
    ObjectInfo object;
    Error error;
  };
  // Those of a listing, without the bytes of what was removed; those that cannot be read are collected.
  std::vector<StoredMark> marks(const std::vector<ObjectInfo>& listed, Cached cached,
                                std::vector<UnreadableNote>& unreadable) {
    return read_marks(listed, Mark::RemovedBytes::drop, cached, &unreadable).marks;
  }
  struct NewMarks {
    std::vector<StoredMark> marks;
    bool vanished = false;  // one was listed, and had gone
  };
  // The marks but for those whose keys the caller has read already.
  NewMarks marks_besides(const std::unordered_set<std::string>& known);
  struct StoredPending {
    ObjectInfo object;
    PendingRecord record;
    std::vector<std::string> signers;  // the known keys that signed it
  };
  // Pending records of a listing; one that prune removed meanwhile is left out, those that cannot be read are
  // collected.
  std::vector<StoredPending> pending(const std::vector<ObjectInfo>& listed, std::vector<UnreadableNote>& unreadable);

  // Once a day, removes from the cache what the store does not have any more, for which it lists it. A store that
  // cannot be listed is no failure.
  void sweep_cache();

 private:
  bool fits_name(const PackRef& ref);
  Manifest open_manifest(std::string_view text, const ManifestInfo& info) const;
  void judge(Manifest& manifest, const ManifestInfo& info) const;
  std::optional<std::string> own_public_key() const;
  std::optional<StoreSigner> signer();
  Manifest load_head(const ManifestInfo& info);
  std::vector<std::string> load_pin_signers(const ObjectInfo& info, const layout::PinKey& name);
  template <class Parse>
  std::vector<ObjectInfo> list_notes(const char* prefix, const char* what, const Parse& parse);
  // size: of the object, as listed. Nothing where the cache has the text of one of another size.
  std::optional<Bytes> sized_from_cache(std::string_view kind, const std::string& name, std::uint64_t size) const;
  void put_sized_to_cache(std::string_view kind, const std::string& name, std::uint64_t size,
                          std::string_view text) const;
  template <class Note, class Load, class Take>
  void read_notes(const std::vector<ObjectInfo>& listed, const Load& load_note, const Take& take);
  NewMarks read_marks(const std::vector<ObjectInfo>& listed, Mark::RemovedBytes bytes, Cached cached,
                      std::vector<UnreadableNote>* unreadable);
  std::optional<Mark> load_mark(const ObjectInfo& info, Mark::RemovedBytes bytes, Cached cached);
  std::optional<PendingRecord> load_pending(const ObjectInfo& info);
  std::shared_ptr<const PackDirectory> recall(const PackRef& ref);
  void keep(const PackRef& ref, std::shared_ptr<const PackDirectory> directory);
  std::shared_ptr<const age::Decryptor> data_key(const PackRef& ref, const PackDirectory& directory);
  std::shared_ptr<const PackDirectory> fetch_directory(const PackRef& ref);
  std::shared_ptr<const PackDirectory> remember(const PackRef& ref, std::shared_ptr<const PackDirectory> directory);

  ObjectStore& m_store;
  Reporter& m_reporter;
  Descriptor m_descriptor;
  Cache m_cache;
  std::uint64_t m_directory_limit;
  ThreadPool m_no_threads{0};
  ThreadPool& m_io;
  std::shared_ptr<const Keyring> m_keys;
  TrustPolicy m_trust;
  std::function<std::shared_ptr<const minisign::SecretKey>()> m_load_signing_key;
  mutable std::once_flag m_signing_key_asked;
  mutable std::shared_ptr<const minisign::SecretKey> m_signing_key;
  OwnPacks m_own_packs;
  struct Kept {
    Digest logical_id;
    std::shared_ptr<const PackDirectory> directory;
    std::list<Digest>::iterator age;
  };
  std::mutex m_mutex;
  std::set<std::string> m_strange;                             // keys that were told of
  std::list<Digest> m_ages;                                    // newest first
  std::unordered_map<Digest, Kept, DigestHash> m_directories;  // by pack name
  std::uint64_t m_directory_bytes = 0;
  std::unordered_map<Digest, std::shared_ptr<const age::Decryptor>, DigestHash> m_data_keys;  // by pack name
};

}  // namespace cairn
