#include "memory_source.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace cairn::sim {

namespace {

constexpr std::string_view k_location = "capture-";
// Contents that any file may get, so that what one snapshot needs another one has stored already.
constexpr std::uint64_t k_common = 24;

class FileContent : public Content {
 public:
  explicit FileContent(Bytes bytes) : m_bytes(std::move(bytes)) {}
  ChunkRule rule() const override { return {ChunkRule::Kind::files, 0}; }
  std::uint64_t expected_size() const override { return m_bytes.size(); }
  Piece read(ByteSpan out) override {
    const std::size_t count = std::min(out.size(), m_bytes.size() - m_at);
    if (count == 0) return {};
    std::memcpy(out.data(), m_bytes.data() + m_at, count);
    m_at += count;
    return {Piece::Kind::data, count};
  }
  Outcome finish() override { return Outcome::consistent; }

 private:
  Bytes m_bytes;
  std::size_t m_at = 0;
};

class FileOpener : public ContentOpener {
 public:
  explicit FileOpener(FileState file) : m_file(file) {}
  std::unique_ptr<Content> open(Entry&) override { return std::make_unique<FileContent>(m_file.bytes()); }

 private:
  FileState m_file;
};

}  // namespace

Bytes FileState::bytes() const {
  Random random{content};
  Bytes out(size());
  for (std::size_t at = 0; at < out.size(); at += 8) {
    const std::uint64_t value = random.next();
    std::memcpy(out.data() + at, &value, std::min<std::size_t>(8, out.size() - at));
  }
  return out;
}

std::string Captures::remember(const TreeState& tree) {
  m_trees.push_back(tree);
  return fmt::format("{}{}", k_location, m_trees.size() - 1);
}

const TreeState* Captures::find(const std::string& location) const {
  if (!location.starts_with(k_location)) return nullptr;
  std::size_t number = 0;
  const char* end = location.data() + location.size();
  if (std::from_chars(location.data() + k_location.size(), end, number).ptr != end) return nullptr;
  return number < m_trees.size() ? &m_trees[number] : nullptr;
}

LiveTree::LiveTree(World& world, const Machine& machine, std::size_t files) : m_world(world), m_machine(machine) {
  for (std::size_t i = 0; i < files; ++i) rewrite(fmt::format("file-{}", i), world.random.next());
}

void LiveTree::rewrite(const std::string& path, std::uint64_t content) {
  m_state[path] = {content, m_world.random.next() >> 16, m_world.clock_of(m_machine)};
}

void LiveTree::change(Random& random) {
  for (const auto& [path, file] : TreeState{m_state}) {
    if (random.chance(350)) rewrite(path, random.chance(500) ? random.below(k_common) : random.next());
  }
}

MemorySource::MemorySource(TreeState tree, std::string location, Time cut_point)
    : m_tree(std::move(tree)), m_location(std::move(location)), m_cut_point(cut_point), m_next(m_tree.begin()) {}

std::optional<SourceItem> MemorySource::next() {
  SourceItem item;
  item.entry.uid = ::geteuid();
  item.entry.gid = ::getegid();
  if (!std::exchange(m_begun, true)) {
    item.entry.path = ".";
    item.entry.type = EntryType::directory;
    item.entry.mode = 0755;
    return item;
  }
  if (m_next == m_tree.end()) return std::nullopt;
  const auto& [path, file] = *m_next++;
  item.entry.path = path;
  item.entry.type = EntryType::file;
  item.entry.mode = 0644;
  item.entry.mtime = item.entry.ctime = file.mtime;
  item.entry.inode = file.inode;
  item.entry.size = file.size();
  item.content = std::make_shared<FileOpener>(file);
  return item;
}

}  // namespace cairn::sim
