// Where the entries of a source that gives them in an order of its own belong in the list.
#pragma once

#include "repo/entry.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace cairn {

// One thread. In memory: about 150 bytes an entry with its path.
class PathOrder {
 public:
  // place: the entry's in the spool (EntrySpool::keep_place()).
  void add(const Entry& entry, std::size_t place);
  // The places in path order. Throws SourceError(failed), which names the path, where the entries make no tree: a path
  // came twice, its directory or the target of a hard link never. Once.
  std::vector<std::size_t> sort();

 private:
  struct Known {
    std::string path;
    EntryType type;
    std::string link_target;  // of a hard link
    std::size_t place;
  };
  const Known* find(const std::string& path) const;

  std::vector<Known> m_entries;
};

}  // namespace cairn
