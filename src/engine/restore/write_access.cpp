#include "engine/restore/write_access.hpp"

#include "util/capabilities.hpp"
#include "util/error.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace cairn {

namespace {

constexpr mode_t k_write_and_search = S_IWUSR | S_IXUSR;

// 0, or why not. The kernel knows of capabilities, access lists, read-only mounts and attributes.
int access_error(int directory, int wanted) noexcept {
#ifdef SYS_faccessat2
  if (::syscall(SYS_faccessat2, directory, "", wanted, AT_EACCESS | AT_EMPTY_PATH) == 0) return 0;
  // Old kernels do not know the call, and old containers forbid it (EPERM, which an attribute may give, too: that is
  // seen by itself).
  if (errno != ENOSYS && errno != EPERM) return errno;
#endif
  if (::faccessat(directory, ".", wanted, AT_EACCESS) == 0) return 0;
  // Without permission to search, "." is not found either.
  return errno;
}

std::string owner_of(const Protection& there) {
  return there.owner == 0 ? std::string{"root"} : fmt::format("user {}", there.owner);
}

}  // namespace

Protection protection_of(const struct statx& told) noexcept {
  return {told.stx_uid, told.stx_mode, (told.stx_attributes & STATX_ATTR_IMMUTABLE) != 0,
          (told.stx_attributes & STATX_ATTR_APPEND) != 0};
}

Rights own_rights() noexcept {
  return {::geteuid(), has_capability(CAP_FOWNER)};
}

DirectoryAccess look_at_access(int directory, const std::string& shown) {
  DirectoryAccess found;
  struct statx told {};
  if (::statx(directory, "", AT_EMPTY_PATH, STATX_UID | STATX_MODE, &told) == 0) {
    found.protection = protection_of(told);
  } else {
    struct stat status {};
    if (::fstatat(directory, "", &status, AT_EMPTY_PATH) != 0) throw_errno("stat", shown, errno);
    found.protection = {status.st_uid, status.st_mode, false, false};
  }
  found.write_error = access_error(directory, W_OK | X_OK);
  found.read_error = access_error(directory, R_OK);
  return found;
}

void throw_refusal(const Refusal& refusal, const std::string& shown) {
  throw Error(ErrorKind::failed, fmt::format("unable to restore to {}: {}", quote(shown), refusal.reason),
              refusal.hint);
}

std::optional<Refusal> refusal_to_change(const Protection& there) {
  if (there.immutable) return Refusal{"it has the immutable attribute", "chattr -i takes it off"};
  if (there.append_only) return Refusal{"it has the append-only attribute", "chattr -a takes it off"};
  return std::nullopt;
}

WriteJudgement judge_writing(const DirectoryAccess& directory, const Rights& rights) {
  const Protection& protection = directory.protection;
  if (auto refusal = refusal_to_change(protection)) return {Writing::refused, std::move(*refusal)};
  if (directory.write_error == 0) return {};
  const bool closed_to_owner = (protection.mode & k_write_and_search) != k_write_and_search;
  if (directory.write_error == EACCES && protection.owner == rights.user && closed_to_owner) {
    return {Writing::mendable, {}};
  }
  const std::string hint = directory.write_error == EACCES || directory.write_error == EPERM
                               ? fmt::format("it belongs to {}: restore as that user, or as root with all capabilities",
                                             owner_of(protection))
                               : std::string{};
  return {Writing::refused, {"names in it may not be changed: " + errno_text(directory.write_error), hint}};
}

std::optional<Refusal> refusal_to_replace(const Protection& there, const Protection& directory, const Rights& rights) {
  if (auto refusal = refusal_to_change(there)) return refusal;
  const bool sticky = (directory.mode & S_ISVTX) != 0;
  if (!sticky || rights.any_owner || there.owner == rights.user || directory.owner == rights.user) return std::nullopt;
  return Refusal{
      fmt::format("it belongs to {}, and where it lies only its owner may replace it (sticky bit)", owner_of(there)),
      "restore as that user, or as root with all capabilities"};
}

}  // namespace cairn
