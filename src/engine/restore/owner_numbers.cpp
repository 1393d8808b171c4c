#include "engine/restore/owner_numbers.hpp"

#include "engine/restore/apply_metadata.hpp"
#include "util/accounts.hpp"

#include <unistd.h>

namespace cairn {

namespace {
constexpr std::uint32_t k_set_id_bits = 06000;
}

void OwnerNumbers::localise(Entry& entry) {
  if (m_policy != Owners::by_number) by_name(entry);
  if (m_policy != Owners::none) return;
  const bool own = entry.uid == ::geteuid() && entry.gid == ::getegid();
  if (entry.type == EntryType::file && !own) entry.mode &= ~k_set_id_bits;
  entry.uid = k_keep_owner;
  entry.gid = k_keep_owner;
}

void OwnerNumbers::by_name(Entry& entry) {
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
