// Whose number a name has on this host.
#pragma once

#include "repo/entry.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace cairn {

// Whose the restored entries are.
enum class Owners : std::uint8_t {
  by_name,    // the owner's by name, where this host has that name, else by number
  by_number,  // the owner's by number, as it was recorded
  none,       // whoever restores; set-id bits of files of others are left out
};

// One thread. Asks the system's databases of users and groups, each name once.
class OwnerNumbers {
 public:
  explicit OwnerNumbers(Owners owners = Owners::by_name) : m_policy(owners) {}

  // Owner and group as the policy has it. By name where this host has that name, else by number as they were: a number
  // alone may be another account's here, and what is private would be given to it. Owners::none: k_keep_owner.
  void localise(Entry& entry);

 private:
  void by_name(Entry& entry);

  Owners m_policy;
  std::map<std::string, std::optional<std::uint32_t>> m_users;
  std::map<std::string, std::optional<std::uint32_t>> m_groups;
};

}  // namespace cairn
