// Owner, extended attributes, mode and times of an entry, put on what was restored.
#pragma once

#include "repo/entry.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cairn {

// As owner or group: it stays what it is. No account has that number: chown(2).
inline constexpr std::uint32_t k_keep_owner = 0xffffffff;

struct Metadata {
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Time mtime;
  const std::vector<Xattr>& xattrs;
};

// Metadata that this user may not set, or that the file system cannot hold.
struct SkippedMetadata {
  bool owner = false;
  std::uint64_t xattrs = 0;
  std::string first_xattr = {};  // "'user.name' of 'path': cause"
  std::uint64_t acls = 0;
  std::string first_acl = {};  // "that of 'path': cause"
  std::string mode = {};       // the same, where it could not be set
  std::string times = {};
};

// In the order that keeps each step from undoing another: the owner first (it clears set-id bits and capabilities),
// xattrs (an ACL sets the group bits), mode, times. Set-id bits of a regular file whose owner could not be set are
// left out: they would lend the wrong user's rights. Owners and modes that a file system takes and forgets count as not
// set. Throws Error(failed), naming `shown`, where something fails that the file system can do.
SkippedMetadata apply_metadata(int fd, const Metadata& metadata, const std::string& shown);
// The time of its content alone, which something else changed since.
SkippedMetadata apply_time(int fd, Time mtime, const std::string& shown);
// A name in an open directory that must not be opened: a symbolic link (which has no mode), device, FIFO or socket.
SkippedMetadata apply_metadata_at(int directory, const std::string& name, EntryType type, const Metadata& metadata,
                                  const std::string& shown);

// Both are followed by apply_metadata(): where it takes that, they make what they get writable for its owner.
//
// Removes attributes of user and ACL kind that are not among those given: for a directory that was there before.
void remove_other_xattrs(int fd, const std::vector<Xattr>& keep);
// Removes all attributes that a capture would read and that are not among those given, as far as this user may: for
// what is to be exactly what the snapshot says. Best effort: what stays, stays.
void replace_xattrs(int fd, const std::vector<Xattr>& keep);
// Removes access control lists, so that nothing made in a directory inherits one.
void remove_acls(int fd) noexcept;

}  // namespace cairn
