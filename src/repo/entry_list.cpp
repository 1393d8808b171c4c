#include "repo/entry_list.hpp"

#include "repo/layout.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

// Chunks ahead of the one in use: entry lists are cut into about 4 KiB, so this is some frames. And how much these
// frames may hold, where chunks are scattered.
constexpr std::size_t k_look_ahead = 2048;
constexpr std::uint64_t k_look_ahead_bytes = 16ULL << 20;

[[noreturn]] void damaged(std::string_view cause) {
  throw Error(ErrorKind::damaged, fmt::format("damaged entry list: {}", cause));
}

}  // namespace

ChunkReader::ChunkReader(FrameFetcher& fetcher, std::unique_ptr<ExtentSource> extents)
    : m_fetcher(fetcher), m_extents(std::move(extents)) {}

const Extent& ChunkReader::checked(const Extent& extent) {
  if (extent.is_hole()) damaged("a hole in a list");
  if (std::uint64_t{extent.first} + extent.count > m_fetcher.directory(extent.pack)->chunk_count()) {
    damaged("an extent out of its pack");
  }
  return extent;
}

void ChunkReader::look_ahead() {
  std::vector<FrameId> ids;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> chunks;
  std::uint64_t raw = 0;
  while (!m_ended && chunks.size() < k_look_ahead && raw < k_look_ahead_bytes) {
    const auto step = m_extent.next();
    if (!step) {
      const auto extent = m_extents->next();
      m_ended = !extent;
      if (extent) m_extent = ExtentCursor{{checked(*extent)}};
      continue;
    }
    const auto directory = m_fetcher.directory(step->pack);
    const FrameId id{step->pack, directory->frame_of(step->chunk)};
    if (ids.empty() || ids.back() != id) raw += directory->frames()[id.frame].raw_size;
    ids.push_back(id);
    chunks.emplace_back(step->pack, step->chunk);
  }
  const auto futures = m_fetcher.request(ids);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    m_window.push_back({futures[i], chunks[i].first, chunks[i].second});
  }
}

std::optional<ByteView> ChunkReader::next() {
  // Half a window early, so that the next frames are on their way while these are used.
  if (m_window.size() <= k_look_ahead / 2 && !m_ended) look_ahead();
  if (m_window.empty()) return std::nullopt;
  const Item item = std::move(m_window.front());
  m_window.pop_front();
  m_current = item.frame.get();
  try {
    return m_current->chunk(item.chunk);
  } catch (const Error& e) {
    throw Error(e.kind(), fmt::format("damaged pack with logical id {:016x}: {}", item.pack, e.message()));
  }
}

namespace {

class ListedExtents : public ExtentSource {
 public:
  explicit ListedExtents(std::vector<Extent> extents) : m_extents(std::move(extents)) {}
  std::optional<Extent> next() override {
    return m_at == m_extents.size() ? std::nullopt : std::optional{m_extents[m_at++]};
  }

 private:
  std::vector<Extent> m_extents;
  std::size_t m_at = 0;
};

// Those of a level, from the lines of the level above: read as they are asked for, so that a list which names itself a
// thousand times over takes time and no memory.
class StoredExtents : public ExtentSource {
 public:
  StoredExtents(FrameFetcher& fetcher, std::unique_ptr<ExtentSource> above) : m_chunks(fetcher, std::move(above)) {}

  std::optional<Extent> next() override {
    while (m_at == m_line.size()) {
      if (!next_line()) return std::nullopt;
    }
    return m_line[m_at++];
  }

 private:
  bool next_line() {
    check_interrupted();
    for (;;) {
      const auto end = m_text.find('\n', m_begin);
      if (end != std::string::npos) {
        if (end - m_begin >= k_max_entry_line) damaged("a line that is too long");
        const EntryLine line = m_parser.parse(std::string_view{m_text}.substr(m_begin, end - m_begin));
        if (line.entry) damaged("an entry where a list of extents should be");
        m_line = line.extents;
        m_at = 0;
        m_begin = end + 1;
        return true;
      }
      m_text.erase(0, m_begin);
      m_begin = 0;
      if (m_text.size() > k_max_entry_line) damaged("a line without an end");
      const auto chunk = m_chunks.next();
      if (!chunk) {
        if (!m_text.empty()) damaged("a list of extents without an end");
        return false;
      }
      m_text += as_text(*chunk);
    }
  }

  ChunkReader m_chunks;
  EntryLineParser m_parser;
  std::string m_text;
  std::size_t m_begin = 0;
  std::vector<Extent> m_line;
  std::size_t m_at = 0;
};

}  // namespace

std::unique_ptr<ExtentSource> entry_list_extents(FrameFetcher& fetcher, const Manifest& manifest) {
  manifest.require_open();
  std::unique_ptr<ExtentSource> extents = std::make_unique<ListedExtents>(manifest.root.extents);
  for (std::uint64_t level = 0; level < manifest.root.levels; ++level) {
    extents = std::make_unique<StoredExtents>(fetcher, std::move(extents));
  }
  return extents;
}

EntryListReader::EntryListReader(FrameFetcher& fetcher, const Manifest& manifest)
    : m_chunks(std::make_unique<ChunkReader>(fetcher, entry_list_extents(fetcher, manifest))),
      m_left(manifest.root.size),
      m_order(manifest.facts.single_file ? EntryOrder::Shape::single_file : EntryOrder::Shape::tree) {}

std::optional<std::string_view> EntryListReader::next_line() {
  for (;;) {
    const auto end = m_buffer.find('\n', m_position);
    if (end != std::string::npos) {
      if (end - m_position >= k_max_entry_line) damaged("a line that is too long");
      const std::string_view line = std::string_view{m_buffer}.substr(m_position, end - m_position);
      m_position = end + 1;
      return line;
    }
    m_buffer.erase(0, m_position);
    m_position = 0;
    if (m_buffer.size() > k_max_entry_line) damaged("a line without an end");
    const auto chunk = m_chunks->next();
    if (!chunk) {
      if (!m_buffer.empty()) damaged("a line without an end");
      if (m_left != 0) damaged("it is shorter than the record says");
      return std::nullopt;
    }
    if (chunk->size() > m_left) damaged("it is longer than the record says");
    m_left -= chunk->size();
    m_buffer += as_text(*chunk);
  }
}

std::optional<EntryLine> EntryListReader::next() {
  skip_parts();
  const auto text = next_line();
  if (!text) {
    m_order.check_end();
    return std::nullopt;
  }
  EntryLine line = m_parser.parse(*text);
  if (!line.entry) damaged("a part without its entry");
  m_order.check(*line.entry);
  m_parts_left = line.parts;
  m_bytes_left = line.entry->size;
  return line;
}

EntryLine EntryListReader::next_part() {
  const auto text = next_line();
  if (!text) damaged("a file without its last parts");
  EntryLine line = m_parser.parse(*text);
  if (line.entry) damaged("a file without its last parts");
  --m_parts_left;
  if (line.part_size > m_bytes_left || (m_parts_left == 0 && line.part_size != m_bytes_left)) {
    damaged("parts of a file that do not add up to its size");
  }
  m_bytes_left -= line.part_size;
  return line;
}

void EntryListReader::skip_parts() {
  while (m_parts_left != 0) next_part();
}

}  // namespace cairn
