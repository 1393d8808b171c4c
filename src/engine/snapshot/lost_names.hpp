// Names that no hard link may lead to: an entry that was left out, or that became another file after the walk.
#pragma once

#include <map>
#include <string>

namespace cairn {

// One thread.
class LostNames {
 public:
  struct Lost {
    bool readable = false;  // by another name, as far as is known
    std::string stand_in;   // the link that is stored as a file in its place, once there is one
  };

  // The entry of that path is not stored.
  void add(const std::string& path) { m_lost.try_emplace(path); }
  // The same, or it is another file by now; what the walk saw may be read by another of its names.
  void add_readable(const std::string& path) { m_lost[path].readable = true; }
  // Null where a link may lead there. Valid until the destruction.
  Lost* find(const std::string& path) {
    const auto at = m_lost.find(path);
    return at == m_lost.end() ? nullptr : &at->second;
  }

 private:
  std::map<std::string, Lost> m_lost;
};

}  // namespace cairn
