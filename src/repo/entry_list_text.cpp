#include "repo/entry_list_text.hpp"

#include "repo/entry_list.hpp"
#include "repo/format.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace cairn {

namespace {

// A list of 16 GiB, if every chunk of it lies alone: nobody who writes to the store chooses how much memory a reader
// takes.
constexpr std::size_t k_max_stretches = std::size_t{1} << 22;

[[noreturn]] void damaged(std::string_view cause) {
  throw Error(ErrorKind::damaged, fmt::format("damaged entry list: {}", cause));
}

}  // namespace

EntryListText::EntryListText(SnapshotFrames& frames, const Manifest& manifest) : m_frames(frames) {
  frames.alone([&](FrameFetcher& fetcher) {
    const auto extents = entry_list_extents(fetcher, manifest);
    while (const auto extent = extents->next()) {
      check_interrupted();
      if (extent->is_hole()) damaged("a hole in a list");
      if (m_stretches.size() == k_max_stretches) damaged("it is in more pieces than any list is");
      m_stretches.push_back({m_chunks, *extent});
      m_chunks += extent->count;
    }
  });
}

const EntryListText::Stretch& EntryListText::stretch_of(std::uint64_t number) const {
  const auto after =
      std::upper_bound(m_stretches.begin(), m_stretches.end(), number,
                       [](std::uint64_t chunk, const Stretch& stretch) { return chunk < stretch.begin; });
  return *std::prev(after);
}

EntryListText::Place EntryListText::place(std::uint64_t number) const {
  const Stretch& stretch = stretch_of(number);
  return {stretch.extent.pack, stretch.extent.first + (number - stretch.begin)};
}

void EntryListText::expect(const std::vector<std::uint64_t>& numbers) const {
  std::vector<FrameId> ids;
  // What is damaged is told by who asks for it.
  damage_of([&] {
    for (const std::uint64_t number : numbers) {
      const Place at = place(number);
      const auto directory = m_frames.directory(at.pack);
      if (at.chunk >= directory->chunk_count()) continue;
      const FrameId id{at.pack, directory->frame_of(static_cast<std::uint32_t>(at.chunk))};
      if (ids.empty() || ids.back() != id) ids.push_back(id);
    }
    m_frames.expect(ids);
  });
}

EntryListText::Chunk EntryListText::chunk(std::uint64_t number) const {
  const Stretch& stretch = stretch_of(number);
  const auto directory = m_frames.directory(stretch.extent.pack);
  if (std::uint64_t{stretch.extent.first} + stretch.extent.count > directory->chunk_count()) {
    damaged("an extent out of its pack");
  }
  const auto index = static_cast<std::uint32_t>(stretch.extent.first + (number - stretch.begin));
  const std::vector<FrameId> ids{{stretch.extent.pack, directory->frame_of(index)}};
  auto frame = m_frames.get(ids).front();
  try {
    const std::string_view text = as_text(frame->chunk(index));
    return {std::move(frame), text};
  } catch (const Error& e) {
    m_frames.forget(ids);
    throw Error(e.kind(), fmt::format("damaged pack {}: {}", quote(m_frames.key_of(stretch.extent.pack)), e.message()));
  }
}

ListPosition EntryListText::line_from(std::uint64_t number) const {
  if (number == 0 || number >= m_chunks) return {std::min(number, m_chunks), 0};
  if (chunk(number - 1).text.ends_with('\n')) return {number, 0};
  for (std::size_t passed = 0; number < m_chunks; ++number) {
    const Chunk here = chunk(number);
    const auto end = here.text.find('\n');
    if (end == here.text.size() - 1) return {number + 1, 0};
    if (end != std::string_view::npos) return {number, end + 1};
    passed += here.text.size();
    if (passed > k_max_entry_line) damaged("a line without an end");
  }
  return {m_chunks, 0};
}

void EntryListCursor::move_to(ListPosition to) {
  if (!m_chunk || to.chunk != m_at.chunk) m_chunk.reset();
  m_at = to;
}

// Makes m_at a byte that is there. False at the end.
bool EntryListCursor::enter() {
  for (;;) {
    if (m_at.chunk >= m_text.chunk_count()) return false;
    if (!m_chunk) m_chunk = m_text.chunk(m_at.chunk);
    if (m_at.offset < m_chunk->text.size()) return true;
    move_to({m_at.chunk + 1, 0});
  }
}

std::optional<EntryLine> EntryListCursor::next() {
  m_buffer.clear();
  while (enter()) {
    const std::string_view rest = m_chunk->text.substr(m_at.offset);
    const auto end = rest.find('\n');
    const std::string_view piece = rest.substr(0, end);
    if (m_buffer.size() + piece.size() >= k_max_entry_line) damaged("a line that is too long");
    if (end == std::string_view::npos) {
      m_buffer += piece;
      move_to({m_at.chunk + 1, 0});
      continue;
    }
    const ListPosition behind{m_at.chunk, m_at.offset + end + 1};
    EntryLine line;
    if (m_buffer.empty()) {
      line = m_parser.parse(piece);
    } else {
      m_buffer += piece;
      line = m_parser.parse(m_buffer);
    }
    move_to(behind);
    // The next line is named by the chunk that it begins in.
    if (m_at.offset == m_chunk->text.size()) move_to({m_at.chunk + 1, 0});
    return line;
  }
  if (!m_buffer.empty()) damaged("a line without an end");
  return std::nullopt;
}

}  // namespace cairn
