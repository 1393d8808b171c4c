// The shape of an entry list: what a writer of a list makes sure of and a reader of one relies on.
#pragma once

#include "repo/entry.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cairn {

// Takes the entries of one list, one after another, and throws Error(damaged) at the first that is out of place:
// - paths ascend (compare_paths);
// - in a tree "." comes first and is a directory, and the parent of every other path is an earlier directory, so that
//   nothing is ever written through a symbolic link; a single file is the only entry;
// - the target of a hard link sorts before it. That it is there, and what it is, only a caller with all paths can tell.
// Memory: one path and its depth. One thread.
class EntryOrder {
 public:
  enum class Shape { tree, single_file };
  explicit EntryOrder(Shape shape) : m_shape(shape) {}

  void check(const Entry& entry);
  // After the last one: a list is never empty.
  void check_end() const;

 private:
  void check_parent(const Entry& entry);

  Shape m_shape;
  bool m_any = false;
  std::string m_last;
  std::vector<std::size_t> m_open;  // lengths of the prefixes of m_last that are directories, "." left out
};

}  // namespace cairn
