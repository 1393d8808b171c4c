#include "capture/sqlite/identity.hpp"

#include "util/accounts.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <grp.h>
#include <linux/capability.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace cairn::sqlite {

namespace {

constexpr gid_t k_nogroup = 65534;

std::string failed(const char* what) {
  return fmt::format("unable to {}: {}", what, errno_text(errno));
}

// capset(2); libcap is not needed for none at all.
bool drop_capabilities() noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

}  // namespace

Identity own_identity() {
  Identity identity{::geteuid(), ::getegid(), {}};
  const int count = ::getgroups(0, nullptr);
  if (count > 0) {
    identity.groups.resize(static_cast<std::size_t>(count));
    const int got = ::getgroups(count, identity.groups.data());
    identity.groups.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  }
  return identity;
}

Identity identity_of_user(uid_t user, gid_t file_group) {
  Identity identity;
  identity.uid = user;
  const auto account = account_of(user);
  if (!account) {
    identity.gid = file_group == user ? file_group : k_nogroup;
    return identity;
  }
  identity.groups = account->groups;
  const bool member = file_group == account->group ||
                      std::find(account->groups.begin(), account->groups.end(), file_group) != account->groups.end();
  identity.gid = member ? file_group : account->group;
  return identity;
}

std::string become(const Identity& identity) {
  if (::geteuid() == 0 && (identity.uid != 0 || identity != own_identity())) {
    if (::setgroups(identity.groups.size(), identity.groups.data()) != 0) return failed("set groups");
    if (::setresgid(identity.gid, identity.gid, identity.gid) != 0) return failed("set the group");
    if (::setresuid(identity.uid, identity.uid, identity.uid) != 0) return failed("set the user");
  }
  // Of another user none is left; root and whoever was given some have them still.
  if (!drop_capabilities()) return failed("drop capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("renounce new privileges");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("forbid tracing");
  if (::geteuid() != identity.uid || ::getegid() != identity.gid) return "unable to become another user";
  return {};
}

}  // namespace cairn::sqlite
