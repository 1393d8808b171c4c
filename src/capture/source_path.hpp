// A path that somebody named to be saved, held by descriptors from then on.
#pragma once

#include "util/file.hpp"

#include <string>

#include <sys/stat.h>

namespace cairn {

struct SourcePath {
  UniqueFd directory;  // O_PATH; the source itself where it is a directory, else the one that it lies in
  std::string name;    // in that directory; "." of a directory
  fs::path real;       // absolute, no symbolic link in it
  struct stat status {};
};

// Follows the path as pin_path() does, links too. Throws SourceError(failed) where there is nothing.
SourcePath find_source(const fs::path& path);

}  // namespace cairn
