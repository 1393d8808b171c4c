#include "engine/restore/local_content.hpp"

#include "codec/chunker.hpp"
#include "util/beneath.hpp"
#include "util/bytes.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace cairn {

namespace {

constexpr std::size_t k_buffer = 1U << 20;

// Chunks from begin to end that follow each other, nobody has yet, and a buffer holds.
struct Stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t bytes = 0;
};

// The next of them from there on; empty at the end.
Stretch next_stretch(const FoundAt& found, std::span<const PlacedChunk> chunks, std::size_t from) {
  while (from < chunks.size() && found[from] != k_not_found) ++from;
  Stretch stretch{from, from, 0};
  while (stretch.end < chunks.size() && found[stretch.end] == k_not_found) {
    const PlacedChunk& chunk = chunks[stretch.end];
    if (stretch.bytes != 0) {
      if (stretch.bytes + chunk.length > k_buffer) break;
      if (chunk.offset != chunks[stretch.begin].offset + stretch.bytes) break;
    }
    stretch.bytes += chunk.length;
    ++stretch.end;
  }
  return stretch;
}

}  // namespace

void find_known_places(const std::vector<LocalCandidate>& candidates, const PlannedWrite& write,
                       const PackDirectory& directory, std::span<std::uint8_t> found) {
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    if (!candidates[c].known || !candidates[c].at_offsets) continue;
    find_known(*candidates[c].known, write.offset, directory, write.source, [&](std::uint32_t i) {
      if (found[i] == k_not_found) found[i] = static_cast<std::uint8_t>(c);
    });
  }
}

void find_at_offsets(const std::vector<LocalCandidate>& candidates, std::span<const PlacedChunk> chunks,
                     FoundAt& found) {
  Bytes buffer;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const LocalCandidate& candidate = candidates[c];
    if (!candidate.at_offsets) continue;
    Stretch stretch;
    for (;;) {
      check_interrupted();
      stretch = next_stretch(found, chunks, stretch.end);
      if (stretch.begin == stretch.end || chunks[stretch.begin].offset >= candidate.stamp.size) break;
      buffer.resize(stretch.bytes);
      ByteView rest = ByteView{buffer}.first(read_there(candidate.fd.get(), buffer, chunks[stretch.begin].offset));
      for (std::size_t i = stretch.begin; i < stretch.end; ++i) {
        const std::uint32_t length = chunks[i].length;
        if (length > rest.size()) break;
        if (sha256(rest.first(length)) == chunks[i].digest) found[i] = static_cast<std::uint8_t>(c);
        rest = rest.subspan(length);
      }
    }
  }
}

bool is_zero(const LocalCandidate& candidate, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = offset + length;
  if (end > candidate.stamp.size) return false;
  Bytes buffer;
  while (offset < end) {
    check_interrupted();
    // Nobody reads by the position that this moves.
    const off_t data = ::lseek(candidate.fd.get(), static_cast<off_t>(offset), SEEK_DATA);
    if (data < 0 && errno == ENXIO) return true;
    if (data > 0) offset = std::max(offset, static_cast<std::uint64_t>(data));
    if (offset >= end) return true;
    buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(k_buffer, end - offset)));
    if (read_there(candidate.fd.get(), buffer, offset) != buffer.size()) return false;
    if (std::any_of(buffer.begin(), buffer.end(), [](std::uint8_t byte) { return byte != 0; })) return false;
    offset += buffer.size();
  }
  return true;
}

const LocalCandidate* LocalContent::target() const noexcept {
  const auto at = std::find_if(m_candidates.begin(), m_candidates.end(), [](const LocalCandidate& candidate) {
    return candidate.kind == LocalRoot::Kind::target;
  });
  return at == m_candidates.end() ? nullptr : &*at;
}

std::optional<std::size_t> LocalContent::spare() const noexcept {
  const auto at = std::find_if(m_candidates.begin(), m_candidates.end(), [](const LocalCandidate& candidate) {
    return candidate.kind == LocalRoot::Kind::spare;
  });
  if (at == m_candidates.end()) return std::nullopt;
  return static_cast<std::size_t>(at - m_candidates.begin());
}

std::optional<LocalContent::Place> LocalContent::find_moved(std::uint64_t at, const Digest& digest,
                                                            std::uint32_t length) {
  for (std::size_t c = 0; c < m_candidates.size(); ++c) {
    LocalCandidate& candidate = m_candidates[c];
    // A file of one chunk has nothing that could have moved.
    if (!candidate.cuts || candidate.stamp.size <= k_cdc_files.minimum) continue;
    if (!*candidate.cuts && at + length > candidate.stamp.size) continue;
    if (!*candidate.cuts) {
      *candidate.cuts = CutIndex::build(m_pool, candidate.fd.get(), candidate.status, candidate.shown, m_rule);
    }
    if (const auto offset = (*candidate.cuts)->find(digest, length)) return Place{c, *offset};
  }
  return std::nullopt;
}

LocalFiles::Id LocalContent::id_of(std::size_t candidate) {
  LocalCandidate& used = m_candidates[candidate];
  if (used.id == LocalFiles::k_none) used.id = m_files.add(used.root, used.path, used.stamp);
  return used.id;
}

void LocalContent::note(std::size_t candidate, std::uint64_t length) {
  const LocalRoot::Kind kind = m_candidates[candidate].kind;
  m_reused += length;
  if (kind == LocalRoot::Kind::staging || kind == LocalRoot::Kind::spare) m_moved += length;
  if (kind != LocalRoot::Kind::target) m_whole = false;
}

}  // namespace cairn
