#include "engine/owner_names.hpp"

#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <vector>

namespace cairn {

namespace {

constexpr std::uint32_t k_no_number = UINT32_MAX;
constexpr std::size_t k_first_buffer = 1024;
constexpr std::size_t k_largest_buffer = 1U << 20;

// getpwnam_r and getgrnam_r alike: the buffer grows until the record fits.
template <class Record, class Call>
std::uint32_t look_up(const std::string& name, Call call, std::uint32_t Record::*number) {
  for (std::size_t size = k_first_buffer; size <= k_largest_buffer; size *= 4) {
    std::vector<char> buffer(size);
    Record record{};
    Record* found = nullptr;
    if (call(name.c_str(), &record, buffer.data(), buffer.size(), &found) == ERANGE) continue;
    return found == nullptr ? k_no_number : record.*number;
  }
  return k_no_number;
}

void replace(std::uint32_t& number, std::uint32_t here) {
  if (here != k_no_number) number = here;
}

}  // namespace

void OwnerNames::localise(Entry& entry) {
  if (!entry.user.empty()) {
    const auto [at, fresh] = m_users.emplace(entry.user, k_no_number);
    if (fresh) at->second = look_up<passwd>(entry.user, ::getpwnam_r, &passwd::pw_uid);
    replace(entry.uid, at->second);
  }
  if (!entry.group.empty()) {
    const auto [at, fresh] = m_groups.emplace(entry.group, k_no_number);
    if (fresh) at->second = look_up<struct group>(entry.group, ::getgrnam_r, &group::gr_gid);
    replace(entry.gid, at->second);
  }
}

}  // namespace cairn
