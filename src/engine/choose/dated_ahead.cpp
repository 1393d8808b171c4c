#include "engine/choose/dated_ahead.hpp"

#include "repo/future_dated.hpp"
#include "repo/repository.hpp"

#include <algorithm>

namespace cairn {

Ahead DatedAhead::operator()(Time cut_point, Time stored_at) {
  if (is_future_dated(cut_point, stored_at)) return Ahead::of_store;
  if (!is_future_dated(cut_point, m_now)) return Ahead::no;
  if (!m_store_now) m_store_now = m_store.now();
  return is_future_dated(cut_point, *m_store_now) ? Ahead::of_clocks : Ahead::no;
}

Time first_stored(const SnapshotInfo& snapshot) noexcept {
  Time first = snapshot.object.stored_at;
  for (const auto& other : snapshot.others) first = std::min(first, other.stored_at);
  return first;
}

}  // namespace cairn
