#include "engine/snapshot/path_order.hpp"

#include "repo/entry_order.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cairn {

void PathOrder::add(const Entry& entry, std::size_t place) {
  m_entries.push_back(
      {entry.path, entry.type, entry.type == EntryType::hard_link ? entry.link_target : std::string{}, place});
}

const PathOrder::Known* PathOrder::find(const std::string& path) const {
  const auto at = std::lower_bound(m_entries.begin(), m_entries.end(), path,
                                   [](const Known& a, const std::string& b) { return compare_paths(a.path, b) < 0; });
  return at != m_entries.end() && at->path == path ? &*at : nullptr;
}

std::vector<std::size_t> PathOrder::sort() {
  std::sort(m_entries.begin(), m_entries.end(),
            [](const Known& a, const Known& b) { return compare_paths(a.path, b.path) < 0; });
  // As every reader checks it: what is wrong here would be committed as a snapshot that nobody can read.
  EntryOrder order{EntryOrder::Shape::tree};
  std::vector<std::size_t> places;
  places.reserve(m_entries.size());
  for (const auto& known : m_entries) {
    Entry entry;
    entry.path = known.path;
    entry.type = known.type;
    entry.link_target = known.link_target;
    try {
      order.check(entry);
    } catch (const Error& e) {
      throw SourceError(ErrorKind::failed,
                        fmt::format("the source gave {} out of place: {}", quote(known.path), e.message()));
    }
    if (known.type == EntryType::hard_link && find(known.link_target) == nullptr) {
      throw SourceError(ErrorKind::failed, fmt::format("the source gave {}, a hard link to {}, which it did not give",
                                                       quote(known.path), quote(known.link_target)));
    }
    places.push_back(known.place);
  }
  return places;
}

}  // namespace cairn
