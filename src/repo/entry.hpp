// One thing in a snapshot's tree, and where its content is. Text form: cairn-format(5), ENTRIES.
#pragma once

#include "util/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

enum class EntryType { file, directory, symlink, hard_link, fifo, socket, char_device, block_device };

struct Xattr {
  std::string name;   // any bytes
  std::string value;  // any bytes
  auto operator<=>(const Xattr&) const = default;
};

// An entry, all but its content. Paths and names are byte strings: '/' separates components, "." is the
// root of the snapshot; never absolute, never with an empty, "." (else) or ".." component, never with a NUL.
struct Entry {
  std::string path;
  EntryType type = EntryType::file;
  std::uint32_t mode = 0;  // permission bits, 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string user;  // names; empty where there is none
  std::string group;
  Time mtime;
  Time ctime;                 // for the unchanged test only, never restored
  std::uint64_t inode = 0;    // for the unchanged test only
  std::vector<Xattr> xattrs;  // sorted by name; POSIX ACLs are system.posix_acl_access and _default
  std::string link_target;    // symlink: its text; hard_link: path of an earlier entry
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint64_t size = 0;  // file: logical bytes
};

// Order of entries in a snapshot: component by component, bytewise; a directory before what it holds.
// Negative, zero or positive as strcmp.
int compare_paths(std::string_view a, std::string_view b) noexcept;

// A path as Entry::path may be. Refuses what could leave the target or name one thing twice.
bool is_valid_entry_path(std::string_view path) noexcept;

}  // namespace cairn
