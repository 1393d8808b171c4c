// What became of paths from snapshot to snapshot. Pure.
#pragma once

#include "codec/digest.hpp"
#include "repo/entry.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cairn {

struct SeenIn {
  Digest id;
  Time cut_point;
};

// An entry that stayed what it is in snapshots one after the other: type, size, modification time and target of a link
// tell.
struct PathVersion {
  Entry entry;
  SeenIn first;
  SeenIn last;
  std::uint64_t snapshots = 0;
  bool in_newest = false;  // it is in the newest snapshot that was looked into
};

class PathHistory {
 public:
  // Snapshots in the order of time; then what is in each.
  void begin_snapshot(const SeenIn& snapshot);
  void add(const Entry& entry);
  // By path, then in the order of time.
  using Versions = std::map<std::string, std::vector<PathVersion>>;
  Versions versions() const;

 private:
  struct Counted {
    PathVersion version;
    std::uint64_t last_number = 0;
  };
  SeenIn m_snapshot;
  std::uint64_t m_number = 0;  // of that snapshot, from 1
  std::map<std::string, std::vector<Counted>> m_paths;
};

}  // namespace cairn
