#include "engine/restore/content_planner.hpp"

#include "util/json.hpp"

#include <algorithm>
#include <utility>

namespace cairn {

namespace {

// One job looks for about so much of a file, so many chunks, and so many stretches.
constexpr std::uint64_t k_job_bytes = 4ULL << 20;
constexpr std::uint32_t k_job_chunks = 4096;
constexpr std::size_t k_job_stretches = 512;

// The chunks of a stretch, each with its place.
void append_placed(std::vector<PlacedChunk>& out, const PlannedWrite& write, const PackDirectory& directory) {
  std::uint64_t offset = write.offset;
  for (std::uint32_t i = 0; i < write.source.count; ++i) {
    const std::uint32_t chunk = write.source.first + i;
    out.push_back({offset, directory.length(chunk), directory.digest(chunk)});
    offset += directory.length(chunk);
  }
}

}  // namespace

ContentPlanner::ContentPlanner(PlannedPacks& packs, FetchPlan& fetch, RestoreSteps& steps, std::uint64_t stripe,
                               PlanningOrder& order, Noting noting)
    : m_packs(packs), m_fetch(fetch), m_order(order), m_noting(noting), m_steps(fetch, steps, stripe) {}

void ContentPlanner::begin_file(const Entry& file, std::shared_ptr<LocalContent> local) {
  ++m_files;
  m_path = file.path;
  m_layout.emplace(file);
  m_local = std::move(local);
  m_size = file.size;
  m_part_at = 0;
  m_holes = 0;
  m_pending = false;
  m_extents.clear();
  m_damage.reset();
  add([this, size = m_size, content = m_local] { m_steps.begin_file(size, content); });
}

void ContentPlanner::extent(const Extent& extent) {
  if (extent.is_hole()) return hole(extent.hole);
  if (m_damage) return;
  // What is sought goes to its part when it was found.
  if (!m_local) go_to_part();
  const ChunkRange chunks{extent.pack, extent.first, extent.count};
  Directory directory;
  if (const auto unreadable = damage_of([&] { directory = look_up(chunks); })) {
    // Whoever executes the plan tries once more, and tells whose content it is.
    note_unreadable(chunks.pack, *unreadable);
  }
  if (!directory || m_pending) {
    if (m_local) go_to_part();
    go_pending();
    return add_pending(PendingWrite{chunks}, directory);
  }
  m_damage = damage_of([&] { add_write(m_layout->place(chunks, *directory), directory); });
}

void ContentPlanner::hole(std::uint64_t bytes) {
  m_holes = saturating_add(m_holes, bytes);
  if (m_damage) return;
  if (m_pending) return add_pending(PendingHole{bytes});
  const std::uint64_t offset = m_layout->end();
  m_damage = damage_of([&] { m_layout->skip(bytes); });
  if (m_damage || !m_local) return;
  const auto add = [this, offset, bytes] { m_steps.hole(offset, bytes); };
  if (m_local->target() == nullptr) return this->add(add);
  send_search();
  m_order.after([add, content = m_local, offset, bytes] {
    const bool same = is_zero(*content->target(), offset, bytes);
    return [add, content, same] {
      if (!same) content->note_missing();
      add();
    };
  });
}

// Nothing where it is fetched whole, which it will be.
ContentPlanner::Directory ContentPlanner::look_up(const ChunkRange& chunks) {
  const PackRef& pack = m_packs.find(chunks.pack);
  if (!m_packs.comes_whole(pack)) return m_packs.directory(chunks.pack);
  m_fetch.want_whole(pack, chunks.first, chunks.count);
  return nullptr;
}

void ContentPlanner::note_unreadable(std::uint64_t pack, const Error& e) {
  Unreadable& noted = m_unreadable[pack];
  if (noted.known.files == 0) noted.known.message = e.message();
  if (std::exchange(noted.last_file, m_files) == m_files) return;
  ++noted.known.files;
  if (noted.known.named.size() < UnreadablePack::k_named) noted.known.named.push_back(m_path);
}

std::vector<UnreadablePack> ContentPlanner::take_unreadable() {
  std::vector<UnreadablePack> out;
  for (auto& [pack, noted] : std::exchange(m_unreadable, {})) out.push_back(std::move(noted.known));
  return out;
}

void ContentPlanner::go_to_part() {
  add([this, part_at = m_part_at] { m_steps.go_to_part(part_at); });
}

void ContentPlanner::add_write(const PlannedWrite& write, const Directory& directory) {
  if (m_noting == Noting::yes) append_extent(m_extents, write);
  if (!m_local) {
    return add([this, write, directory] { m_steps.write(write, *directory); });
  }
  PlannedWrite piece{write.offset, 0, {write.source.pack, write.source.first, 0}};
  for (std::uint32_t i = 0; i < write.source.count; ++i) {
    piece.length += directory->length(write.source.first + i);
    ++piece.source.count;
    if (piece.length < k_job_bytes && piece.source.count < k_job_chunks) continue;
    look_for(piece, directory);
    piece = {piece.offset + piece.length, 0, {write.source.pack, write.source.first + i + 1, 0}};
  }
  if (piece.source.count != 0) look_for(piece, directory);
}

void ContentPlanner::look_for(const PlannedWrite& write, const Directory& directory) {
  m_search.sought.push_back({m_part_at, write, directory});
  m_search.bytes += write.length;
  m_search.chunks += write.source.count;
  if (m_search.bytes >= k_job_bytes || m_search.chunks >= k_job_chunks || m_search.sought.size() >= k_job_stretches) {
    send_search();
  }
}

void ContentPlanner::send_search() {
  if (m_search.sought.empty()) return;
  m_order.after([this, search = std::exchange(m_search, {}), content = m_local]() mutable {
    std::vector<PlacedChunk> chunks;
    chunks.reserve(search.chunks);
    for (const Sought& sought : search.sought) append_placed(chunks, sought.write, *sought.directory);
    FoundAt found(chunks.size(), k_not_found);
    std::span<std::uint8_t> known{found};
    for (const Sought& sought : search.sought) {
      const std::size_t count = sought.write.source.count;
      find_known_places(content->candidates(), sought.write, *sought.directory, known.first(count));
      known = known.subspan(count);
    }
    find_at_offsets(content->candidates(), chunks, found);
    return [this, search = std::move(search), found = std::move(found)] {
      std::span<const std::uint8_t> rest{found};
      for (const Sought& sought : search.sought) {
        m_steps.go_to_part(sought.part_at);
        m_steps.write_found(sought.write, *sought.directory, rest.first(sought.write.source.count));
        rest = rest.subspan(sought.write.source.count);
      }
    };
  });
}

void ContentPlanner::add_pending(const ContentStep& step, const Directory& directory) {
  add([this, step, directory] { m_steps.pending(step, directory.get()); });
}

void ContentPlanner::go_pending() {
  if (std::exchange(m_pending, true)) return;
  add_pending(PendingBegin{m_layout->end()});
}

void ContentPlanner::end_part(std::uint64_t size) {
  m_part_at = saturating_add(m_part_at, size);
  if (m_damage) return;
  if (m_pending) return add([this, end = m_part_at] { m_steps.pending_part(end); });
  m_damage = damage_of([&] { m_layout->check_part(m_part_at); });
}

std::optional<KnownExtents> ContentPlanner::take_extents() {
  if (m_noting == Noting::no || m_damage || m_pending) return std::nullopt;
  return std::exchange(m_extents, {});
}

std::uint64_t ContentPlanner::end_file(const std::optional<Error>& damage) {
  if (!m_damage) m_damage = damage;
  if (!m_damage && !m_pending) m_damage = damage_of([&] { m_layout->check_whole(); });
  std::optional<std::string> message;
  if (m_damage) message = m_damage->message();
  add([this, message] { m_steps.end_file(message); });
  m_local.reset();
  return m_size - std::min(m_size, m_holes);
}

}  // namespace cairn
