// Which files at the target may stay although they have several names. Pure.
#pragma once

#include "util/file_id.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace cairn {

// A file may stay where its names are the snapshot's names of it, all of them and no others: else a change through one
// of them would be one of what has the other, or the names would not belong together as in the snapshot. What stays is
// known when all entries were seen. One thread.
class LinkGroups {
 public:
  // A file of the snapshot whose content is there, with so many names on its file system.
  void add_file(const std::string& path, const FileId& id, std::uint64_t names) {
    m_groups[path] = {id, names, {path}};
  }
  // A name of the snapshot for a file that came before it; id: of what the target has there.
  void add_link(const std::string& path, const std::string& file, const FileId& id) {
    const auto found = m_groups.find(file);
    if (found != m_groups.end() && found->second.id == id) found->second.paths.insert(path);
  }
  // Files and links that stay.
  std::set<std::string> staying() const {
    std::set<std::string> all;
    for (const auto& [path, group] : m_groups) {
      if (group.paths.size() == group.names) all.insert(group.paths.begin(), group.paths.end());
    }
    return all;
  }

 private:
  struct Group {
    FileId id;
    std::uint64_t names = 0;
    std::set<std::string> paths;
  };
  std::map<std::string, Group> m_groups;
};

}  // namespace cairn
