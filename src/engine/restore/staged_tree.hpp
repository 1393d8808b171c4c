// A tree in staging, as far as the names and files there do not say it themselves.
#pragma once

#include "repo/entry.hpp"
#include "util/own_directory.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cairn {

// Whether a directory that the target has already gets the snapshot's metadata.
enum class ExistingDirectory { changed, kept };

// A directory gets its metadata when everything in it has been made.
struct StagedDirectory {
  std::string path;
  std::uint32_t mode = 0;  // permission bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Time mtime;
  std::vector<Xattr> xattrs;
  ExistingDirectory existing = ExistingDirectory::changed;
  FileId id = {};      // once it has its metadata in staging, or was looked at where it stays
  bool there = false;  // the target has it: it is not staged, though what lies in it may be
};

// A hard link to a file that stays at the target.
struct StagedLink {
  std::string path;
  std::string target;
};

struct StagedTree {
  // As the snapshot describes them, deepest first, the root last; each path once. Others were made as parents.
  std::vector<StagedDirectory> directories;
  std::vector<StagedLink> links = {};
};

// In staging, the one entry of a single-file restore.
inline constexpr const char* k_single_name = "content";

}  // namespace cairn
