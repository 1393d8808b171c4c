// The metadata that the file system has of a name besides its content, as an Entry has them.
#pragma once

#include "repo/entry.hpp"

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sys/stat.h>

namespace cairn {

// Names of users and groups by number, asked once each (an LDAP answer may take long). Thread-safe.
class OwnerNames {
 public:
  // Empty where the number has no name.
  std::string user(std::uint32_t uid);
  std::string group(std::uint32_t gid);

 private:
  std::mutex m_mutex;
  std::unordered_map<std::uint32_t, std::string> m_users;
  std::unordered_map<std::uint32_t, std::string> m_groups;
};

// Everything but path, xattrs and link_target. A time that 64-bit nanoseconds cannot hold becomes the nearest that
// they can. The type is never hard_link.
void apply_status(Entry& entry, const struct stat& status, OwnerNames& names);

// Whether XFS shows an ACL under that name once more, in its own form: it comes and goes with the ACL.
bool is_acl_of_xfs(std::string_view name) noexcept;

// The names in what listxattr(2) gives, sorted, each once: there are file systems that list a security label twice.
// Those of is_acl_of_xfs() are left out.
std::vector<std::string> xattr_names(std::string_view list);

// The extended attributes, POSIX ACLs among them, sorted by name; empty where the file system has none. Throws
// SourceError naming `shown`. One that vanishes between listing and reading is left out.
std::vector<Xattr> read_xattrs(int fd, std::string_view shown);
// Of name in an open directory, a symbolic link itself rather than what it points to, devices and sockets unopened.
// There is no such system call before Linux 6.13: it goes by /proc/self/fd, and where /proc is not mounted by
// `shown`, which must then be the path.
std::vector<Xattr> read_xattrs_at(int directory, const std::string& name, const std::string& shown);

// The text of the symbolic link `name` in an open directory. Throws SourceError naming `shown`.
std::string read_link_at(int directory, const std::string& name, std::string_view shown);

// SourceError "unable to VERB 'path': cause"; its kind is not_found for ENOENT (the name vanished meanwhile, which is
// no failure of the capture), failed for all else.
[[noreturn]] void throw_source_errno(std::string_view verb, std::string_view path, int error_number);

}  // namespace cairn
