// Directories that this process makes and removes where somebody else may rename, replace or remove names meanwhile.
// All by descriptor: a name is used once, and what it led to is looked at before it is trusted.
#pragma once

#include "util/file.hpp"
#include "util/file_id.hpp"

#include <optional>
#include <string>

namespace cairn {

// Of what is open, or has a name in an open directory (a symbolic link is not followed). Nothing, and errno set, where
// that cannot be found out.
std::optional<FileId> id_of(int fd) noexcept;
std::optional<FileId> id_at(int directory, const std::string& name) noexcept;

// Whether a directory with that owner can be one that this process made in parent: it is this user, or whoever new
// files of this user belong to there (network file systems, and those without owners), which is found out by making
// one.
bool is_own(int parent, uid_t owner) noexcept;

// For root: whether nobody but root owns anything on the way to path, links and what they lead to included, as far as
// it is there; whoever owns "/" counts as root, and whoever root's own new files belong to (a file system without
// owners). Else somebody could have what is done there by name be done elsewhere. True for other users: what they may
// not do, they cannot be made to do.
bool is_way_own(const fs::path& path) noexcept;

// Makes an open directory that only this process is to use private to its user, and marks it as such: mode 01700 (the
// sticky bit says nothing where only the owner may write, so hardly another directory has it), or 0700 where the file
// system knows no sticky bit. 0, or -1 and errno.
int make_private(int directory) noexcept;
// Whether a directory of this user in parent can be what a killed run left, and not something else that somebody gave
// its name: it has the mark, or nobody else may rename things in parent. False where that cannot be found out.
bool may_be_left(int parent, int directory) noexcept;

// Makes a directory and opens it (O_RDONLY); one that is there is taken if it belongs to this user, to root or to the
// owner of parent, who may do there as he likes anyway. A new directory is fsynced into parent. Throws Error(failed),
// naming `shown`, also where a symbolic link or another user's directory is there (or got there meanwhile).
UniqueFd make_directory_at(int parent, const std::string& name, unsigned mode, const fs::path& shown);

// Removes all that an open directory holds, following no link and entering no directory but by descriptor. Goes on
// after what cannot be removed. Returns 0 or the first errno.
int remove_contents(int directory);
// That, and then the directory itself where it has that name in parent still.
int remove_directory_at(int parent, const std::string& name, int directory);

// rename(2) that replaces nothing, where the file system can say so; otherwise after a look. 0, or -1 and errno.
int rename_new_at(int from_directory, const std::string& from, int to_directory, const std::string& to) noexcept;

}  // namespace cairn
