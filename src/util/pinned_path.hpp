// A path that somebody named, followed once and held by a descriptor from then on: whoever may rename things on the way
// to it changes nothing about where it leads.
#pragma once

#include "util/file.hpp"

#include <string>
#include <vector>

#include <sys/types.h>

namespace cairn {

struct PinnedPath {
  fs::path path;                   // absolute, links resolved: for messages
  fs::path directory_path;         // of what comes next: for messages
  UniqueFd directory;              // O_PATH; the last directory on the path that is there
  std::vector<std::string> names;  // what follows it; none where the path is that directory
  mode_t there = 0;                // of the first of these names, which is no directory; 0: there is nothing
  bool leads_to_nothing = false;   // a symbolic link on the path does
};

// Follows a path as the kernel does, symbolic links too, one component after the other from an open directory. Of what
// is not there yet only the names are kept; ".." takes back one of them.
//
// Two kinds of links are not followed. Where everybody may make names (a sticky directory such as /tmp) those that
// belong neither to this user nor to the directory's owner (Error(failed), EACCES; as with Linux's protected_symlinks).
// And by root those of another user that lead to what does not belong to that user: Error(failed), with a hint.
//
// Throws Error(failed) for what cannot be looked at, ENOTDIR where something above the end is no directory.
PinnedPath pin_path(const fs::path& path);

}  // namespace cairn
