#include "repo/file_reader.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// Placing a group takes the directories of all packs that it is in, so it is small: whoever reads one page of a file
// that changed a lot must not read most of them.
constexpr std::uint64_t k_group_parts = 4;
constexpr std::uint32_t k_run_chunks = 256;
constexpr std::uint64_t k_runs_memory = 4ULL << 20;
// Decoded frames that are waited for at one time.
constexpr std::size_t k_frames_at_once = 32;

}  // namespace

FileReader::FileReader(SnapshotFrames& frames, const TreeIndex& index, IndexedEntry file)
    : m_frames(frames), m_text(index.text()), m_file(std::move(file)) {
  if (m_file.entry.type != EntryType::file) {
    throw Error(ErrorKind::usage, fmt::format("unable to read {}: it is not a file", quote(m_file.entry.path)));
  }
  m_next = {0, m_file.behind, m_file.parts};
  if (m_file.parts == 0) m_groups.push_back({});
}

Bytes FileReader::read_at(std::uint64_t offset, std::uint64_t length) {
  offset = std::min(offset, size());
  const std::uint64_t end = offset + std::min(length, size() - offset);
  Bytes out;
  const std::string named = fmt::format("damaged content of {}: ", quote(m_file.entry.path));
  if (const auto damage = damage_of([&] { out = read(offset, end); })) {
    const bool said = damage->message().starts_with(named);
    throw Error(ErrorKind::damaged, said ? damage->message() : named + damage->message(), damage->hint());
  }
  return out;
}

Bytes FileReader::read(std::uint64_t offset, std::uint64_t end) {
  Bytes out(end - offset, 0);  // as holes are
  copy(pieces_between(offset, end), out);
  return out;
}

void FileReader::expect(std::uint64_t offset, std::uint64_t length) {
  offset = std::min(offset, size());
  const std::uint64_t end = offset + std::min(length, size() - offset);
  damage_of([&] {
    std::vector<FrameId> ids;
    for (const Piece& piece : pieces_between(offset, end)) {
      if (ids.empty() || ids.back() != piece.frame) ids.push_back(piece.frame);
    }
    m_frames.expect(ids);
  });
}

std::vector<FileReader::Piece> FileReader::pieces_between(std::uint64_t offset, std::uint64_t end) {
  std::vector<Piece> pieces;
  for (std::uint64_t at = offset; at < end;) {
    check_interrupted();
    const std::size_t group = group_at(at);
    const auto runs = runs_of(group);
    const auto first = std::partition_point(runs->begin(), runs->end(),
                                            [&](const ContentRun& run) { return run.offset + run.length <= at; });
    for (auto run = first; run != runs->end() && run->offset < end; ++run) {
      pieces_of(*run, offset, end, pieces);
    }
    at = std::min(end, end_of(group));
  }
  return pieces;
}

// The chunks of the run with bytes between begin and end of the file.
void FileReader::pieces_of(const ContentRun& run, std::uint64_t begin, std::uint64_t end, std::vector<Piece>& out) {
  const auto directory = m_frames.directory(run.pack);
  std::uint64_t at = run.offset;
  for (std::uint32_t chunk = run.first; chunk < run.first + run.count && at < end; ++chunk) {
    const std::uint64_t next = at + directory->length(chunk);
    if (next > begin) {
      const std::uint64_t from = std::max(at, begin);
      out.push_back(
          {{run.pack, directory->frame_of(chunk)}, chunk, from - at, from - begin, std::min(next, end) - from});
    }
    at = next;
  }
}

void FileReader::copy(const std::vector<Piece>& pieces, Bytes& to) {
  for (std::size_t begin = 0; begin < pieces.size();) {
    std::vector<FrameId> ids;
    std::size_t end = begin;
    for (; end < pieces.size(); ++end) {
      if (!ids.empty() && ids.back() == pieces[end].frame) continue;
      if (ids.size() == k_frames_at_once) break;
      ids.push_back(pieces[end].frame);
    }
    const auto frames = m_frames.get(ids);
    const auto damage = damage_of([&] {
      std::size_t frame = 0;
      for (; begin < end; ++begin) {
        const Piece& piece = pieces[begin];
        if (ids[frame] != piece.frame) ++frame;
        const ByteView bytes = frames[frame]->chunk(piece.chunk).subspan(piece.in_chunk, piece.length);
        std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(piece.to));
      }
    });
    if (damage) {
      m_frames.forget(ids);
      // A chunk does not know what pack it is of.
      throw Error(
          damage->kind(),
          fmt::format("damaged pack {}: {}", quote(m_frames.key_of(pieces[begin].frame.pack)), damage->message()),
          damage->hint());
    }
  }
}

// Which group holds the byte. It may have to be looked for in the list, from the last one that is known on: the lines
// of parts tell their sizes, not where they are.
std::size_t FileReader::group_at(std::uint64_t offset) {
  const std::scoped_lock lock{m_mutex};
  while (m_next.parts != 0 && m_next.offset <= offset) find_group();
  const auto after = std::upper_bound(m_groups.begin(), m_groups.end(), offset,
                                      [](std::uint64_t at, const Group& group) { return at < group.offset; });
  return static_cast<std::size_t>(after - m_groups.begin()) - 1;
}

void FileReader::find_group() {
  Group group = m_next;
  group.parts = std::min(m_next.parts, k_group_parts);
  std::uint64_t end = m_next.offset;
  EntryListCursor cursor{m_text, m_next.at};
  for (std::uint64_t i = 0; i < group.parts; ++i) {
    const auto line = cursor.next();
    if (!line || line->entry) throw_damaged_content(m_file.entry.path, "its last parts are missing");
    if (line->part_size > size() - end) throw_damaged_content(m_file.entry.path, "its parts do not add up to its size");
    end += line->part_size;
  }
  const Group next{end, cursor.position(), m_next.parts - group.parts};
  if (next.parts == 0 && end != size()) throw_damaged_content(m_file.entry.path, "its parts do not add up to its size");
  m_groups.push_back(group);
  m_next = next;
}

std::uint64_t FileReader::end_of(std::size_t group) {
  const std::scoped_lock lock{m_mutex};
  if (group + 1 < m_groups.size()) return m_groups[group + 1].offset;
  return m_next.parts != 0 ? m_next.offset : size();
}

std::shared_ptr<const FileReader::Runs> FileReader::runs_of(std::size_t number) {
  Group group;
  {
    const std::scoped_lock lock{m_mutex};
    if (const auto* known = m_runs.find(number)) return *known;
    group = m_groups[number];
  }
  auto runs = std::make_shared<const Runs>(place(group));
  const std::scoped_lock lock{m_mutex};
  m_runs.put(number, runs, runs->size() * sizeof(ContentRun));
  m_runs.shrink(k_runs_memory);
  return runs;
}

FileReader::Runs FileReader::place(const Group& group) {
  Runs runs;
  const auto directory_of = [this](std::uint64_t pack) { return m_frames.directory(pack); };
  const auto take = [&](ContentRun run, const PackDirectory& directory) {
    while (run.count > k_run_chunks) {
      ContentRun begin = run;
      begin.count = k_run_chunks;
      begin.length = 0;
      for (std::uint32_t i = 0; i < begin.count; ++i) begin.length += directory.length(begin.first + i);
      runs.push_back(begin);
      run.offset += begin.length;
      run.length -= begin.length;
      run.first += begin.count;
      run.count -= begin.count;
    }
    runs.push_back(run);
  };
  const auto add_packs = [](std::vector<std::uint64_t>& packs, const std::vector<Extent>& extents) {
    for (const Extent& extent : extents) {
      if (!extent.is_hole() && (packs.empty() || packs.back() != extent.pack)) packs.push_back(extent.pack);
    }
  };
  std::vector<std::uint64_t> packs;
  if (m_file.parts == 0) {
    add_packs(packs, m_file.extents);
    m_frames.expect_directories(packs);
    const std::uint64_t end = place_extents(m_file.entry, 0, m_file.extents, directory_of, take);
    check_content_length(m_file.entry.path, end, size());
    return runs;
  }
  EntryListCursor cursor{m_text, group.at};
  std::vector<EntryLine> lines;
  for (std::uint64_t i = 0; i < group.parts; ++i) {
    auto line = cursor.next();
    if (!line || line->entry) throw_damaged_content(m_file.entry.path, "its last parts are missing");
    add_packs(packs, line->extents);
    lines.push_back(*std::move(line));
  }
  m_frames.expect_directories(packs);
  std::uint64_t offset = group.offset;
  for (const EntryLine& line : lines) {
    const std::uint64_t end = place_extents(m_file.entry, offset, line.extents, directory_of, take);
    check_part_length(m_file.entry.path, end - offset, line.part_size);
    offset = end;
  }
  return runs;
}

}  // namespace cairn
