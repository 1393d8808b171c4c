// Which snapshots are pinned, by what listings show of the pin records. See cairn-format(5), OTHER OBJECTS.
#pragma once

#include "repo/layout.hpp"

#include <map>
#include <optional>
#include <utility>

namespace cairn {

// The newest record of each id says whether it is pinned; of two of one instant, the unpin. No record is ever removed
// or changed, so several listings add up: what one leaves out another may show.
class Pins {
 public:
  void add(const layout::PinKey& key) {
    const std::pair record{key.time, !key.pinned};
    const auto [at, added] = m_newest.emplace(key.id, record);
    if (!added && at->second < record) at->second = record;
  }
  bool pinned(const Digest& id) const {
    const auto found = m_newest.find(id);
    return found != m_newest.end() && !found->second.second;
  }
  // When its newest record says it was made.
  std::optional<Time> newest(const Digest& id) const {
    const auto found = m_newest.find(id);
    return found == m_newest.end() ? std::nullopt : std::optional{found->second.first};
  }

 private:
  std::map<Digest, std::pair<Time, bool>> m_newest;  // and whether it takes the pin off
};

}  // namespace cairn
