// Whose number a name has on this host.
#pragma once

#include "repo/entry.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace cairn {

// One thread. Asks the system's databases of users and groups, each name once.
class OwnerNumbers {
 public:
  // Owner and group by name where this host has that name, else by number as they were: a number alone may be another
  // account's here, and what is private would be given to it.
  void localise(Entry& entry);

 private:
  std::map<std::string, std::optional<std::uint32_t>> m_users;
  std::map<std::string, std::optional<std::uint32_t>> m_groups;
};

}  // namespace cairn
