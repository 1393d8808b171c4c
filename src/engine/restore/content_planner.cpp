#include "engine/restore/content_planner.hpp"

#include "util/json.hpp"

#include <algorithm>
#include <utility>

namespace cairn {

namespace {

// Large files are taken in stripes. What is smaller is planned together up to this size.
constexpr std::uint64_t k_large_file = 16ULL << 20;
// A stripe that goes back to a pack more often than this is written pack by pack, so many pieces of it at a time.
constexpr std::uint64_t k_returns_per_mib = 2;
constexpr std::size_t k_max_group = 512 * 1024;
// Of one file; what is behind them is written in the order of the file. A damaged list may tell of more than any file
// has.
constexpr std::uint64_t k_max_stripes = 64 * 1024;

}  // namespace

ContentPlanner::ContentPlanner(PlannedPacks& packs, FetchPlan& fetch, RestoreSteps& steps, std::uint64_t stripe)
    : m_packs(packs), m_fetch(fetch), m_steps(steps), m_stripe_size(stripe) {}

void ContentPlanner::begin_file(const Entry& file) {
  ++m_files;
  m_layout.emplace(file);
  m_size = file.size;
  m_part_at = 0;
  m_holes = 0;
  m_pending = false;
  m_damage.reset();
  m_stripes = 0;
  m_file_at = m_end;
  m_end += file.size;
  m_grouping = file.size >= k_large_file;
  if (m_grouping) {
    begin_group(0);
  } else if (m_end - m_fetch.stretch_at() >= k_large_file) {
    m_fetch.begin_stretch(m_file_at);
  }
}

void ContentPlanner::extent(const Extent& extent) {
  if (extent.is_hole()) m_holes = saturating_add(m_holes, extent.hole);
  if (m_damage) return;
  if (extent.is_hole()) {
    if (m_pending) {
      add_pending(PendingHole{extent.hole});
    } else {
      m_damage = damage_of([&] { m_layout->skip(extent.hole); });
    }
    return;
  }
  if (m_grouping && m_stripe != m_part_at / m_stripe_size) go_to_stripe();
  const ChunkRange chunks{extent.pack, extent.first, extent.count};
  std::shared_ptr<const PackDirectory> directory;
  if (const auto unreadable = damage_of([&] { directory = look_up(chunks); })) {
    // Whoever executes the plan tries once more, and tells whose content it is.
    note_unreadable(chunks.pack, *unreadable);
  }
  if (!directory || m_pending) {
    go_pending();
    add_pending(PendingWrite{chunks});
  } else {
    m_damage = damage_of([&] { add_write(chunks, *directory); });
  }
  if (directory && !m_damage) want(chunks, *directory);
}

// Nothing where it is fetched whole, which it will be.
std::shared_ptr<const PackDirectory> ContentPlanner::look_up(const ChunkRange& chunks) {
  const PackRef& pack = m_packs.find(chunks.pack);
  if (!m_packs.comes_whole(pack)) return m_packs.directory(chunks.pack);
  m_fetch.want_whole(pack, chunks.first, chunks.count);
  return nullptr;
}

void ContentPlanner::note_unreadable(std::uint64_t pack, const Error& e) {
  Unreadable& noted = m_unreadable[pack];
  if (noted.known.files == 0) noted.known.message = e.message();
  if (std::exchange(noted.last_file, m_files) != m_files) ++noted.known.files;
}

std::vector<UnreadablePack> ContentPlanner::take_unreadable() {
  std::vector<UnreadablePack> out;
  for (auto& [pack, noted] : std::exchange(m_unreadable, {})) out.push_back(std::move(noted.known));
  return out;
}

void ContentPlanner::want(const ChunkRange& chunks, const PackDirectory& directory) {
  if (std::uint64_t{chunks.first} + chunks.count > directory.chunk_count()) return;
  const std::uint32_t last = directory.frame_of(chunks.first + chunks.count - 1);
  for (std::uint32_t frame = directory.frame_of(chunks.first); frame <= last; ++frame) {
    m_fetch.want(chunks.pack, directory, frame);
  }
}

void ContentPlanner::add_write(const ChunkRange& chunks, const PackDirectory& directory) {
  const PlannedWrite write = m_layout->place(chunks, directory);
  if (!m_grouping) return m_steps.add_step(write);
  append_by_frame(m_group_writes, write, directory);
  if (m_group_writes.size() < k_max_group) return;
  end_group(m_layout->end());
  begin_group(m_layout->end());
}

void ContentPlanner::add_pending(const ContentStep& step) {
  if (m_grouping) {
    m_group_steps.push_back(step);
  } else {
    m_steps.add_step(step);
  }
}

void ContentPlanner::go_pending() {
  if (std::exchange(m_pending, true)) return;
  add_pending(PendingBegin{m_layout->end()});
}

void ContentPlanner::end_part(std::uint64_t size) {
  m_part_at = saturating_add(m_part_at, size);
  if (m_damage) return;
  if (!m_pending) {
    m_damage = damage_of([&] { m_layout->check_part(m_part_at); });
    return;
  }
  add_pending(PendingCheck{m_part_at});
  if (m_group_steps.size() < k_max_group) return;
  end_group(m_part_at);
  begin_group(m_part_at);
}

std::uint64_t ContentPlanner::end_file(const std::optional<Error>& damage) {
  if (!m_damage) m_damage = damage;
  if (!m_damage && !m_pending) m_damage = damage_of([&] { m_layout->check_whole(); });
  if (m_grouping) {
    end_group(m_size);
    // What comes next is no part of it.
    if (m_scattered) m_fetch.begin_stretch(m_end);
  }
  if (m_damage) m_steps.add_step(DamagedContent{m_damage->message()});
  return m_size - std::min(m_size, m_holes);
}

void ContentPlanner::go_to_stripe() {
  end_group(m_size);
  if (m_stripes < k_max_stripes) return begin_group(m_part_at);
  m_grouping = false;
  m_fetch.begin_stretch(m_file_at + m_part_at);
}

void ContentPlanner::begin_group(std::uint64_t at) {
  ++m_stripes;
  m_stripe = at / m_stripe_size;
  m_group_at = at;
  m_fetch.begin_stretch(m_file_at + at);
}

// end: where what may still be of it ends in the file.
void ContentPlanner::end_group(std::uint64_t end) {
  const std::uint64_t bytes = std::min(end - m_group_at, m_stripe_size);
  m_scattered = m_fetch.returns() > (bytes >> 20) * k_returns_per_mib;
  if (m_scattered) m_fetch.go_by_pack();
  write_group(m_scattered);
}

void ContentPlanner::write_group(bool scattered) {
  // What is pending can be brought into order only when its frames are known.
  const bool later = scattered && !m_group_steps.empty();
  if (scattered && !later) order_by_pack(m_group_writes);
  if (later) m_steps.add_step(PackOrderBegin{});
  for (const Write& write : m_group_writes) {
    m_steps.add_step(PlannedWrite{write.offset, write.bytes, {write.frame.pack, write.first, write.count}});
  }
  for (const ContentStep& step : m_group_steps) m_steps.add_step(step);
  if (later) m_steps.add_step(PackOrderEnd{});
  m_group_writes.clear();
  m_group_steps.clear();
}

}  // namespace cairn
