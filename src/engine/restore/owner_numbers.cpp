#include "engine/restore/owner_numbers.hpp"

#include "util/accounts.hpp"

namespace cairn {

void OwnerNumbers::localise(Entry& entry) {
  if (!entry.user.empty()) {
    const auto [at, fresh] = m_users.try_emplace(entry.user);
    if (fresh) at->second = user_number(entry.user);
    entry.uid = at->second.value_or(entry.uid);
  }
  if (!entry.group.empty()) {
    const auto [at, fresh] = m_groups.try_emplace(entry.group);
    if (fresh) at->second = group_number(entry.group);
    entry.gid = at->second.value_or(entry.gid);
  }
}

}  // namespace cairn
