// Names and directories of a target and of staging, by descriptor: for moving the one's to the other.
#pragma once

#include "engine/restore/restore_target.hpp"
#include "repo/entry.hpp"
#include "util/file.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace cairn {

// Of what has a name in an open directory, which is not followed; nothing where there is none or it cannot be found
// out.
std::optional<struct stat> status_at(int directory, const std::string& name) noexcept;

// Whether a call failed because the file system cannot have the name.
bool is_unfit_name(int error) noexcept;

// All throw Error(failed) naming `shown`.
UniqueFd open_directory_below(int root, const std::string& path, const std::string& shown);
std::vector<std::string> names_in(int directory, const std::string& shown);
// Makes names in a directory durable, where the file system can.
void sync_names(int directory, const fs::path& shown);

// The directory that the target gets its name in; what is missing on the way to it is made.
UniqueFd make_parent_of(const RestoreTarget& target);

// "a" in "." is "a".
std::string join_path(const std::string& directory, const std::string& name);
struct SplitPath {
  std::string parent;  // "." for none
  std::string name;
};
SplitPath split_path(const std::string& path);

// As stat(2) has it. A hard link is a file.
mode_t file_type(EntryType type) noexcept;

// Refusals of what somebody did there since it was looked at.
[[noreturn]] void throw_appeared(const fs::path& target);
[[noreturn]] void throw_replaced(const std::string& path);

}  // namespace cairn
