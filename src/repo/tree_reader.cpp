#include "repo/tree_reader.hpp"

#include "repo/entry_list.hpp"
#include "util/interrupt.hpp"

namespace cairn {

namespace {

class Walk {
 public:
  Walk(EntryListReader& list, FrameFetcher& fetcher, TreeVisitor& visitor)
      : m_list(list), m_fetcher(fetcher), m_visitor(visitor) {}

  void file(const EntryLine& line) {
    const Entry& entry = *line.entry;
    std::uint64_t parts_left = line.parts;
    std::uint64_t offset = 0;
    const auto failure = damage_of([&] {
      if (line.parts == 0) {
        offset = extents(entry, 0, line.extents);
      }
      while (parts_left != 0) {
        const EntryLine part = m_list.next_part();
        --parts_left;
        const std::uint64_t end = extents(entry, offset, part.extents);
        check_part_length(entry.path, end - offset, part.part_size);
        offset = end;
      }
      check_content_length(entry.path, offset, entry.size);
    });
    m_visitor.end_file(failure);
  }

 private:
  // Returns where the extents end in the file.
  std::uint64_t extents(const Entry& entry, std::uint64_t offset, const std::vector<Extent>& list) {
    return place_extents(
        entry, offset, list, [this](std::uint64_t pack) { return m_fetcher.directory(pack); },
        [this](const ContentRun& run, const PackDirectory&) { m_visitor.run(run); });
  }

  EntryListReader& m_list;
  FrameFetcher& m_fetcher;
  TreeVisitor& m_visitor;
};

}  // namespace

void walk_tree(const Manifest& manifest, FrameFetcher& lists, FrameFetcher& content, TreeVisitor& visitor) {
  EntryListReader list{lists, manifest};
  Walk walk{list, content, visitor};
  while (const auto line = list.next()) {
    check_interrupted();
    const bool wanted = visitor.entry(*line->entry);
    if (line->entry->type == EntryType::file && wanted) walk.file(*line);
  }
}

}  // namespace cairn
