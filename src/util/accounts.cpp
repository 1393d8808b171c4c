#include "util/accounts.hpp"

#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <utility>
#include <vector>

namespace cairn {

namespace {

constexpr std::size_t k_first_buffer = 1024;
constexpr std::size_t k_largest_buffer = std::size_t{1} << 20;

// All functions alike: the buffer grows until the record fits. take makes the result of the record.
template <class Record, class Lookup, class Take>
auto look_up_record(Lookup lookup, Take take) -> std::optional<decltype(take(std::declval<const Record&>()))> {
  std::vector<char> buffer(k_first_buffer);
  for (;;) {
    Record record{};
    Record* found = nullptr;
    const int error = lookup(&record, buffer.data(), buffer.size(), &found);
    if (error == EINTR) continue;
    if (error == ERANGE && buffer.size() < k_largest_buffer) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (error != 0 || found == nullptr) return std::nullopt;
    return take(*found);
  }
}

template <class Result, class Record, class Field, class Lookup>
std::optional<Result> look_up(Lookup lookup, Field Record::*field) {
  return look_up_record<Record>(lookup, [&](const Record& record) { return Result{record.*field}; });
}

std::vector<std::uint32_t> groups_of(const char* name, gid_t first) {
  int count = 32;
  std::vector<gid_t> groups;
  for (;;) {
    groups.resize(static_cast<std::size_t>(count));
    const int room = count;
    if (::getgrouplist(name, first, groups.data(), &count) >= 0) break;
    if (count <= room) count = room * 2;
  }
  groups.resize(static_cast<std::size_t>(count));
  return {groups.begin(), groups.end()};
}

}  // namespace

std::optional<std::string> user_name(std::uint32_t uid) {
  return look_up<std::string>([&](auto... rest) { return ::getpwuid_r(uid, rest...); }, &passwd::pw_name);
}

std::optional<std::string> group_name(std::uint32_t gid) {
  return look_up<std::string>([&](auto... rest) { return ::getgrgid_r(gid, rest...); }, &group::gr_name);
}

std::optional<std::uint32_t> user_number(const std::string& name) {
  return look_up<std::uint32_t>([&](auto... rest) { return ::getpwnam_r(name.c_str(), rest...); }, &passwd::pw_uid);
}

std::optional<std::uint32_t> group_number(const std::string& name) {
  return look_up<std::uint32_t>([&](auto... rest) { return ::getgrnam_r(name.c_str(), rest...); }, &group::gr_gid);
}

std::optional<Account> account_of(std::uint32_t uid) {
  auto account = look_up_record<passwd>([&](auto... rest) { return ::getpwuid_r(uid, rest...); },
                                        [](const passwd& record) {
                                          return Account{record.pw_name, record.pw_gid, {}};
                                        });
  if (account) account->groups = groups_of(account->name.c_str(), account->group);
  return account;
}

}  // namespace cairn
