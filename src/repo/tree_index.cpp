#include "repo/tree_index.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// Entries that are looked at one after the other before the list is searched: a small directory is passed so.
constexpr int k_steps = 32;

bool is_below(std::string_view path, std::string_view directory) noexcept {
  if (directory == ".") return path != ".";
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

}  // namespace

TreeIndex::TreeIndex(SnapshotFrames& frames, const Manifest& manifest)
    : m_text(frames, manifest), m_single_file(manifest.facts.single_file) {}

// The first chunk from this one on in which an entry may begin.
std::uint64_t TreeIndex::past_gap(std::uint64_t chunk) const {
  const std::scoped_lock lock{m_mutex};
  const auto after = m_gaps.upper_bound(chunk);
  if (after == m_gaps.begin()) return chunk;
  return std::max(chunk, std::prev(after)->second);
}

void TreeIndex::note_gap(std::uint64_t begin, std::uint64_t end) const {
  const std::scoped_lock lock{m_mutex};
  std::uint64_t& known = m_gaps[begin];
  known = std::max(known, end);
}

// The first entry from the cursor on, which stands behind it then.
std::optional<TreeIndex::LocatedEntry> TreeIndex::next_entry(EntryListCursor& cursor) const {
  // Chunks from this one on had no line yet that is an entry.
  const std::uint64_t first = cursor.position().chunk + (cursor.position().offset == 0 ? 0 : 1);
  for (;;) {
    check_interrupted();
    const ListPosition at = cursor.position();
    // Only from the beginning of a chunk: before it may be an entry.
    const std::uint64_t next = at.offset == 0 ? past_gap(at.chunk) : at.chunk;
    if (next != at.chunk) {
      cursor.move_to(m_text.line_from(next));
      continue;
    }
    auto line = cursor.next();
    const bool is_entry = line && line->entry;
    if (line && !is_entry) continue;
    const std::uint64_t end = is_entry ? at.chunk : m_text.chunk_count();
    if (end > first + 1) note_gap(first, end);
    if (!is_entry) return std::nullopt;
    return LocatedEntry{{std::move(*line->entry), std::move(line->extents), line->parts, cursor.position()}, at};
  }
}

// The first that begins in the chunk or behind it.
std::optional<TreeIndex::LocatedEntry> TreeIndex::entry_from(std::uint64_t chunk) const {
  EntryListCursor cursor{m_text, m_text.line_from(past_gap(chunk))};
  return next_entry(cursor);
}

// The first entry at or behind `from` whose path before() is false of. It is true up to some path, and false from there
// on.
template <class Before>
std::optional<TreeIndex::LocatedEntry> TreeIndex::first_not(ListPosition from, Before before) const {
  EntryListCursor cursor{m_text, from};
  ListPosition low = from;  // no entry before it is the one
  for (int step = 0; step < k_steps; ++step) {
    auto found = next_entry(cursor);
    if (!found || !before(found->entry.entry.path)) return found;
    low = found->entry.behind;
  }
  // In steps that double, so that what is near is found soon.
  std::optional<LocatedEntry> high;
  std::uint64_t end = m_text.chunk_count();
  for (std::uint64_t step = 1; low.chunk + step < end; step *= 2) {
    auto found = entry_from(low.chunk + step);
    if (!found || !before(found->entry.entry.path)) {
      end = low.chunk + step;
      high = std::move(found);
      break;
    }
    low = std::max(low, found->entry.behind);
  }
  while (end > low.chunk + 1) {
    const std::uint64_t middle = low.chunk + (end - low.chunk) / 2;
    auto found = entry_from(middle);
    if (!found || !before(found->entry.entry.path)) {
      end = middle;
      high = std::move(found);
    } else {
      low = std::max(low, found->entry.behind);
    }
  }
  cursor.move_to(low);
  for (;;) {
    auto found = next_entry(cursor);
    if (!found || !before(found->entry.entry.path)) return found;
    if (high && found->at >= high->at) return high;
  }
}

std::optional<IndexedEntry> TreeIndex::find(std::string_view path) const {
  auto found = first_not({}, [&](std::string_view other) { return compare_paths(other, path) < 0; });
  if (!found || found->entry.entry.path != path) return std::nullopt;
  return std::move(found->entry);
}

bool TreeIndex::children(std::string_view directory, const Visit& visit, std::string_view after) const {
  ListPosition at;
  if (!m_single_file || directory != ".") {
    const auto found = find(directory);
    if (!found || found->entry.type != EntryType::directory) return false;
    at = found->behind;
  }
  std::string last{after};
  for (;;) {
    // An entry below the last one, too, is none of this directory's own.
    const auto found = first_not(at, [&](std::string_view path) {
      return !last.empty() && (compare_paths(path, last) <= 0 || is_below(path, last));
    });
    if (!found) return true;
    const Entry& entry = found->entry.entry;
    if (!is_below(entry.path, directory)) return true;
    const std::size_t name = directory == "." ? 0 : directory.size() + 1;
    if (entry.path.find('/', name) != std::string::npos) {
      throw Error(ErrorKind::damaged,
                  fmt::format("damaged entry list: entry {} is in no directory of the list", quote(entry.path)));
    }
    if (!visit(found->entry)) return true;
    last = entry.path;
    at = found->entry.behind;
  }
}

}  // namespace cairn
