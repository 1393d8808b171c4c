// The directories below one root that were opened last. Entries of a tree come in order, so the one asked for is mostly
// there, or its parent is: opening costs one call however deep the tree.
#pragma once

#include "util/file.hpp"

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace cairn {

// Thread-safe. No directory below the root is renamed or removed as long as this object is used, or the old one is
// given out.
class OpenDirectories {
 public:
  // root stays open as long as this object lives.
  explicit OpenDirectories(int root) : m_root(root) {}

  // The directory at path (components separated by '/', or "." for the root), opened with O_PATH; no component is a
  // symbolic link. Empty where that fails, and errno says why.
  std::shared_ptr<const UniqueFd> open(std::string_view path);

 private:
  struct Kept {
    std::string path;
    std::shared_ptr<const UniqueFd> directory;
  };
  std::shared_ptr<const UniqueFd> find(std::string_view path);
  void keep(std::string_view path, const std::shared_ptr<const UniqueFd>& directory);

  static constexpr std::size_t k_kept = 64;
  int m_root;
  std::mutex m_mutex;
  std::list<Kept> m_newest_first;
  std::unordered_map<std::string_view, std::list<Kept>::iterator> m_by_path;  // keys lie in the list
};

}  // namespace cairn
