// The private directory that a restore builds in before anything at the target is touched.
#pragma once

#include "codec/digest.hpp"
#include "engine/restore/restore_target.hpp"
#include "util/early_sync.hpp"
#include "util/file.hpp"
#include "util/log.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// A directory in the target's anchor: in the target if that is a directory already, else beside it. It is held open and
// locked (flock(2)), so that others can tell what interrupted restores left behind. It goes with the object, and all
// that it holds, unless it was released. Whoever may change names in the anchor may make a restore by root fail, and no
// more: what has the name is looked at after it was made, or before it is adopted, and is used by descriptor from then
// on.
class Staging {
 public:
  // The name that a later run of the same snapshot to the same target finds it by.
  static std::string name_of(const Digest& snapshot, const RestoreTarget& target);

  // Makes an empty one under that name; where the name is taken, with random digits after it. Throws Error(failed).
  static Staging create(const RestoreTarget& target, const Digest& snapshot);
  // The staging that an earlier run left under a name in the target's anchor. Nothing where there is none, where
  // somebody uses it, or where it cannot be told for sure that it is one: it belongs to this user, nobody else may
  // enter it (0700), it has the mark of make_private() or lies where nobody else could have put it (may_be_left()), and
  // is on the anchor's mount.
  static std::optional<Staging> adopt(const RestoreTarget& target, const std::string& name);

  Staging(Staging&&) noexcept = default;
  Staging& operator=(Staging&&) = delete;
  ~Staging();

  int fd() const noexcept { return m_fd.get(); }
  const std::string& name() const noexcept { return m_name; }
  const fs::path& path() const noexcept { return m_path; }  // for messages
  // The mode of a directory that nobody says anything about. Of a staging that was created.
  std::uint32_t default_mode() const noexcept { return m_default_mode; }

  // Has what was written into it be written out early. Thread-safe.
  EarlySync& early_sync() noexcept { return *m_sync; }

  // Removes it with all that it holds, now. False where something is left: then a later restore removes that.
  bool discard() noexcept;
  // It stays, under another name that no restore takes for something to remove, and is no matter of this object any
  // more: it holds what was at the target and could not be put back. Returns where it is.
  fs::path keep() noexcept;
  // Marks it as what is about to become the target: whoever finds the target so, by is_marked(), knows that a restore
  // of the snapshot was ended before the metadata of its root. The mark is a time of change that nothing else has.
  void mark_as_whole(const Digest& snapshot) const noexcept;
  static bool is_marked(int directory, const Digest& snapshot) noexcept;

  // It stays: it has become something else, or is what a later run goes on from.
  void release() noexcept { m_anchor.reset(); }
  // Whether it holds a file with content, which a later run would not have to fetch.
  bool is_worth_keeping() const;

 private:
  Staging(const RestoreTarget& target, std::string name);
  bool lock();
  void check();

  UniqueFd m_anchor;  // what it lies in; empty once it is no matter of this object any more
  std::string m_name;
  fs::path m_path;
  UniqueFd m_fd;
  std::uint32_t m_default_mode = 0755;
  std::unique_ptr<EarlySync> m_sync;  // last: it uses the descriptor
};

// All that earlier restores to the same target left, held as long as this object lives; it stays where it is, unless it
// is discarded. What another restore uses, and what may be somebody else's, is not among it.
class LeftStaging {
 public:
  // snapshot: that is restored.
  LeftStaging(const RestoreTarget& target, const Digest& snapshot);
  LeftStaging(const LeftStaging&) = delete;
  LeftStaging& operator=(const LeftStaging&) = delete;
  ~LeftStaging();

  // That of the same snapshot first, the newest of them before older ones.
  const std::vector<Staging>& all() const noexcept { return m_all; }
  // Whether it is of that snapshot.
  bool is_same(const Staging& one) const { return one.name().starts_with(m_same); }
  // Removes it, now, and says so.
  void discard(Reporter& reporter);

 private:
  std::string m_same;  // what names of this snapshot's begin with
  std::vector<Staging> m_all;
};

}  // namespace cairn
