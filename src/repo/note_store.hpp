// The notes beside the snapshots of one open store: marks, pending records and pins.
#pragma once

#include "repo/layout.hpp"
#include "repo/notes.hpp"
#include "repo/pins.hpp"
#include "repo/repository_basis.hpp"
#include "util/error.hpp"

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace cairn {

// Everything that is read is checked against what names it; what does not pass is read once more before it is called
// damaged, with a warning where that helps. Thread-safe.
class NoteStore {
 public:
  explicit NoteStore(const RepositoryBasis& basis) : m_basis(basis) {}

  // Objects of marks/ and pending/. An object that has neither's name is told of, once, and left alone: a file
  // manager's file in a directory must stop nobody.
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
  // Puts a mark under a name of its own; returns its key.
  std::string store_mark(const Mark& mark);

  struct StoredPending {
    ObjectInfo object;
    PendingRecord record;
    std::vector<std::string> signers;  // the known keys that signed it
  };
  // Pending records of a listing; one that prune removed meanwhile is left out, those that cannot be read are
  // collected.
  std::vector<StoredPending> pending(const std::vector<ObjectInfo>& listed, std::vector<UnreadableNote>& unreadable);
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
  // The object as the store has it now; nothing where it is not there.
  std::optional<ObjectInfo> find(const std::string& key) { return m_basis.store.head(key); }

 private:
  std::vector<std::string> load_pin_signers(const ObjectInfo& info, const layout::PinKey& name);
  template <class Parse>
  std::vector<ObjectInfo> list(const char* prefix, const char* what, const Parse& parse);
  template <class Note, class Load, class Take>
  void read(const std::vector<ObjectInfo>& listed, const Load& load_note, const Take& take);
  NewMarks read_marks(const std::vector<ObjectInfo>& listed, Mark::RemovedBytes bytes, Cached cached,
                      std::vector<UnreadableNote>* unreadable);
  std::optional<Mark> load_mark(const ObjectInfo& info, Mark::RemovedBytes bytes, Cached cached);
  std::optional<PendingRecord> load_pending(const ObjectInfo& info);

  const RepositoryBasis& m_basis;
  std::mutex m_mutex;
  std::set<std::string> m_strange;  // keys that were told of
};

}  // namespace cairn
