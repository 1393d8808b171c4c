// The data of simulated machines: a few small files in memory that change, and the memory of what each capture of them
// held.
#pragma once

#include "capture/source.hpp"
#include "random.hpp"
#include "world.hpp"

#include <map>
#include <string>
#include <vector>

namespace cairn::sim {

// The bytes of a file, by the number that they are made from.
struct FileState {
  std::uint64_t content = 0;
  std::uint64_t inode = 0;  // a new one each time it is written
  Time mtime;
  std::uint64_t size() const noexcept { return 200 + content * 7919 % 3000; }
  Bytes bytes() const;
};
using TreeState = std::map<std::string, FileState>;

// All captures of a schedule, by the location that each is given: the snapshot's facts name it.
class Captures {
 public:
  std::string remember(const TreeState& tree);
  const TreeState* find(const std::string& location) const;

 private:
  std::vector<TreeState> m_trees;
};

// The live data of one series on one machine.
class LiveTree {
 public:
  LiveTree(World& world, const Machine& machine, std::size_t files);
  // Writes some files anew; what is written may have been there before, here or elsewhere.
  void change(Random& random);
  void rewrite(const std::string& path, std::uint64_t content);
  const TreeState& state() const noexcept { return m_state; }

 private:
  World& m_world;
  const Machine& m_machine;
  TreeState m_state;
};

class MemorySource : public Source {
 public:
  MemorySource(TreeState tree, std::string location, Time cut_point);
  SourceKind kind() const override { return SourceKind::directory; }
  SourceShape shape() const override { return SourceShape::tree; }
  SourceAccess access() const override { return SourceAccess::reopenable; }
  std::string location() const override { return m_location; }
  std::optional<SourceItem> next() override;
  const std::vector<SourceProblem>& problems() const override { return m_problems; }
  SourceEnd finish() override { return {m_cut_point}; }

 private:
  TreeState m_tree;
  std::string m_location;
  Time m_cut_point;
  bool m_begun = false;
  TreeState::const_iterator m_next;
  std::vector<SourceProblem> m_problems;
};

}  // namespace cairn::sim
