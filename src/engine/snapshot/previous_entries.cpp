#include "engine/snapshot/previous_entries.hpp"

#include "util/error.hpp"

#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {
constexpr std::uint64_t k_kept_frames = 8ULL << 20;
}

PreviousEntries::PreviousEntries(Context& context, const Manifest& manifest)
    : m_context(context), m_packs(manifest), m_digests([this](std::uint64_t pack) { return directory(pack); }) {
  give_up_if_damaged([&] {
    m_fetcher =
        std::make_unique<FrameFetcher>(context.repository.packs(), context.io, context.cpu, m_packs, k_kept_frames);
    m_reader = std::make_unique<EntryListReader>(*m_fetcher, manifest);
    advance();
  });
}

template <class F>
void PreviousEntries::give_up_if_damaged(F&& read) {
  // no_key: its list was pushed here by another host.
  if (const auto damage = damage_of(std::forward<F>(read), {ErrorKind::no_key})) give_up(*damage);
}

void PreviousEntries::give_up(const Error& e) {
  m_context.reporter.warning(
      fmt::format("the previous snapshot cannot be compared with: {}; what it holds is stored again", e.message()));
  m_line.reset();
  m_reader.reset();
  m_parts_left = 0;
}

void PreviousEntries::advance() {
  m_line = m_reader->next();
  m_parts_left = !m_line ? 0 : m_line->parts == 0 ? 1 : m_line->parts;
}

const Entry* PreviousEntries::seek(std::string_view path) {
  give_up_if_damaged([&] {
    while (m_line && compare_paths(m_line->entry->path, path) < 0) advance();
  });
  return m_line && m_line->entry->path == path ? &*m_line->entry : nullptr;
}

std::optional<PreviousEntries::ContentPart> PreviousEntries::next_part() {
  if (m_parts_left == 0) return std::nullopt;
  --m_parts_left;
  if (m_line->parts == 0) return ContentPart{m_line->entry->size, m_line->extents};
  std::optional<ContentPart> part;
  give_up_if_damaged([&] {
    EntryLine line = m_reader->next_part();
    part = ContentPart{line.part_size, std::move(line.extents)};
  });
  return part;
}

std::shared_ptr<const PackDirectory> PreviousEntries::directory(std::uint64_t pack) {
  const PackRef* ref = m_packs.find_if_there(pack);
  if (ref == nullptr) return nullptr;
  std::shared_ptr<const PackDirectory> found;
  any_failure_of([&] { found = m_context.repository.packs().directory(*ref); });
  return found;
}

bool PreviousChunks::next_part() {
  std::optional<PreviousEntries::ContentPart> part;
  if (!m_parts.empty()) {
    part = std::move(m_parts.front());
    m_parts.pop_front();
  } else {
    part = m_entries.next_part();
  }
  if (!part) return false;
  m_extents = ExtentCursor{std::move(part->extents)};
  return true;
}

std::optional<PreviousChunks::Chunk> PreviousChunks::next() {
  for (;;) {
    const auto step = m_extents.next();
    // A page file has no holes; an older version of the file that was not one may have.
    if (step && step->hole == 0) return Chunk{step->pack, step->chunk};
    if (!step && !next_part()) return std::nullopt;
  }
}

}  // namespace cairn
