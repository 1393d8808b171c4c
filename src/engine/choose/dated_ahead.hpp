// Whether a clock that was ahead wrote a snapshot's cut point. Such a one is not what latest, a series or a time means:
// else it would be for as long as that clock was ahead. Its id names it.
#pragma once

#include "util/time.hpp"

#include <optional>

namespace cairn {

class ObjectStore;
struct SnapshotInfo;

enum class Ahead {
  no,
  // More than an hour after what this machine's clock and the store's say now. Where that clock was the store's own,
  // as with a directory of the same machine, it shows only so, once the clock was corrected. Or both are behind now.
  of_clocks,
  // Future-dated: more than an hour after the store's own time of its manifest. That stays so, whoever looks.
  of_store,
};

// By what names and listings say alone. stored_at: of the snapshot's manifest that came first.
class DatedAhead {
 public:
  // now: this machine's. The store is asked for its time once, and only where something lies after this machine's.
  DatedAhead(ObjectStore& store, Time now) : m_store(store), m_now(now) {}
  Ahead operator()(Time cut_point, Time stored_at);

 private:
  ObjectStore& m_store;
  Time m_now;
  std::optional<Time> m_store_now;
};

// When the first of its manifests came to the store.
Time first_stored(const SnapshotInfo& snapshot) noexcept;

}  // namespace cairn
