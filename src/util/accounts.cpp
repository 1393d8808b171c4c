#include "util/accounts.hpp"

#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <vector>

namespace cairn {

namespace {

constexpr std::size_t k_first_buffer = 1024;
constexpr std::size_t k_largest_buffer = std::size_t{1} << 20;

// All four functions alike: the buffer grows until the record fits.
template <class Result, class Record, class Field, class Lookup>
std::optional<Result> look_up(Lookup lookup, Field Record::*field) {
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
    return Result{found->*field};
  }
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

}  // namespace cairn
