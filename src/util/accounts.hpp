// Users and groups of this host, from whatever database it has (getpwnam_r(3) and the like). Thread-safe. A directory
// service that does not answer is taken for one that does not know: names and numbers are asked for where the other of
// both is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

std::optional<std::string> user_name(std::uint32_t uid);
std::optional<std::string> group_name(std::uint32_t gid);
std::optional<std::uint32_t> user_number(const std::string& name);
std::optional<std::uint32_t> group_number(const std::string& name);

struct Account {
  std::string name;
  std::uint32_t group = 0;
  std::vector<std::uint32_t> groups;  // all that he is a member of, `group` among them
};
std::optional<Account> account_of(std::uint32_t uid);

}  // namespace cairn
