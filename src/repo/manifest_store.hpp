// The manifests of one open store, and the snapshots that they are.
#pragma once

#include "repo/layout.hpp"
#include "repo/manifest.hpp"
#include "repo/note_store.hpp"
#include "repo/repository_basis.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

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

// Everything that is read is checked against what names it; what does not pass is read once more before it is called
// damaged, with a warning where that helps. Thread-safe.
class ManifestStore {
 public:
  // notes: of the same store, for its pins.
  ManifestStore(const RepositoryBasis& basis, NoteStore& notes) : m_basis(basis), m_notes(notes) {}

  // By listing, ascending by key (series, then cut point). Keys that no manifest has are reported, not lost: `unknown`
  // collects them where given.
  std::vector<ManifestInfo> list(const std::string& series = {}, std::vector<std::string>* unknown = nullptr);
  // Whether a listing shows it now: one that is absent and listed is lost, else a prune removed it.
  bool is_listed(const ManifestInfo& info);
  // Whether it is there, whatever listings show.
  bool exists(const std::string& key);
  // Snapshots, one an id, ascending by series and cut point. A manifest whose head cannot be read, or is not there
  // though it is listed, is reported as a warning and left out; `unreadable` collects their keys where given.
  std::vector<SnapshotInfo> list_snapshots(const std::string& series = {},
                                           std::vector<std::string>* unreadable = nullptr);

  // The whole manifest; its bytes fit its name. Error(damaged) or, where it has gone, Error(not_found). One from the
  // cache has the size that the listing shows: it says what the manifest is, and not that it is still whole there.
  Manifest load(const ManifestInfo& info, Cached cached = Cached::yes);
  // The same, but one that no key at hand opens comes back closed instead of as Error(no_key).
  Manifest peek(const ManifestInfo& info, Cached cached = Cached::yes);
  std::string load_text(const ManifestInfo& info, Cached cached = Cached::yes);
  // The copy in this host's cache, checked like anything else; nothing where that would take a request. A manifest may
  // be closed; nothing, too, where it is not what it should be, or only a later program can read it.
  std::optional<Bytes> cached_bytes(const ManifestInfo& info);
  std::optional<Manifest> cached(const ManifestInfo& info);

  // Commits. Returns the key. List::plain: which packs they are is not signed, though there may be a key.
  enum class List { plain, signed_if_possible };
  std::string store(const Manifest& manifest, List list = List::signed_if_possible);
  // Puts back one that a prune removed, as its mark has it.
  void put_back(const std::string& key, std::string_view text);
  // Returns why it could not be removed, if so; one that is not there counts as removed.
  std::vector<RemoveFailure> remove(const std::string& key);

  // Whether a key that is trusted for its series signed which packs they are.
  bool is_vouched(const Manifest& manifest) const;
  // The known keys that signed it. own: a key that counts where no key is trusted. stored_at: of the manifest.
  std::vector<std::string> list_signers(const Manifest& manifest, Time stored_at,
                                        const std::optional<std::string>& own) const;

 private:
  Manifest open(std::string_view text, const ManifestInfo& info) const;
  void judge(Manifest& manifest, const ManifestInfo& info) const;
  Manifest load_head(const ManifestInfo& info);

  const RepositoryBasis& m_basis;
  NoteStore& m_notes;
};

}  // namespace cairn
