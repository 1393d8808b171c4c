#include "engine/inside/path_search.hpp"

#include "repo/entry_text.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <utility>

namespace cairn {

namespace {

// Chunks whose frames are asked for at one time.
constexpr std::size_t k_ahead = 1024;

}  // namespace

// Lines of a chunk that begins where a line does. One that does not end there has its last line in the next one.
std::shared_ptr<const PathSearch::Part> PathSearch::read_part(std::string_view text) {
  ++m_chunks_read;
  auto part = std::make_shared<Part>();
  part->lines = text.ends_with('\n');
  if (!part->lines) return part;
  EntryLineParser parser;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = parser.parse(text.substr(0, end));
    if (line.entry && m_wanted(*line.entry)) part->found.push_back(*std::move(line.entry));
    text.remove_prefix(end + 1);
  }
  return part;
}

void PathSearch::search_by_line(const EntryListText& text, const std::function<void(const Entry&)>& visit) {
  EntryListCursor cursor{text, {}};
  while (const auto line = cursor.next()) {
    check_interrupted();
    if (line->entry && m_wanted(*line->entry)) visit(*line->entry);
  }
}

void PathSearch::search(const Manifest& manifest, const std::function<void(const Entry&)>& visit) {
  SnapshotFrames& frames = m_looker.frames(manifest);
  if (std::exchange(m_parts_of, &frames) != &frames) m_parts.clear();
  const EntryListText text{frames, manifest};
  std::vector<std::uint64_t> unknown;
  for (std::uint64_t number = 0; number < text.chunk_count(); ++number) {
    if (!m_parts.contains(text.place(number))) unknown.push_back(number);
  }
  for (std::size_t begin = 0; begin < unknown.size(); begin += k_ahead) {
    const std::vector<std::uint64_t> some(
        unknown.begin() + static_cast<std::ptrdiff_t>(begin),
        unknown.begin() + static_cast<std::ptrdiff_t>(std::min(unknown.size(), begin + k_ahead)));
    text.expect(some);
    for (const std::uint64_t number : some) {
      check_interrupted();
      auto part = read_part(text.chunk(number).text);
      // Lists are cut at ends of lines; one that is not is read in order.
      if (!part->lines) return search_by_line(text, visit);
      m_parts.emplace(text.place(number), std::move(part));
    }
  }
  for (std::uint64_t number = 0; number < text.chunk_count(); ++number) {
    for (const Entry& entry : m_parts.at(text.place(number))->found) visit(entry);
  }
}

}  // namespace cairn
