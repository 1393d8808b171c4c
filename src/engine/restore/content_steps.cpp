#include "engine/restore/content_steps.hpp"

#include <algorithm>
#include <utility>
#include <variant>

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
// Steps that wait for what the file begins as.
constexpr std::size_t k_max_waiting = 1024;
// Pages are of a power of two from there to there, and side by side with others of their size. They are not looked for
// where they do not belong: a page that moved is a page that was written.
constexpr std::uint32_t k_min_page = 512;
constexpr std::uint32_t k_max_page = 65536;

bool is_page(const PackDirectory& directory, std::uint32_t chunk) {
  const std::uint32_t length = directory.length(chunk);
  if (length < k_min_page || length > k_max_page || (length & (length - 1)) != 0) return false;
  return (chunk > 0 && directory.length(chunk - 1) == length) ||
         (chunk + 1 < directory.chunk_count() && directory.length(chunk + 1) == length);
}

}  // namespace

ContentSteps::ContentSteps(FetchPlan& fetch, RestoreSteps& steps, std::uint64_t stripe)
    : m_fetch(fetch), m_steps(steps), m_stripe_size(stripe) {}

void ContentSteps::begin_file(std::uint64_t size, std::shared_ptr<LocalContent> local) {
  m_size = size;
  m_local = std::move(local);
  m_last_local = {};
  m_undecided = m_local != nullptr;
  m_based = false;
  m_waiting.clear();
  m_stripes = 0;
  m_written = 0;
  m_file_at = m_end;
  m_end += size;
  m_grouping = size >= k_large_file;
  if (m_grouping) {
    begin_group(0);
  } else if (m_end - m_fetch.stretch_at() >= k_large_file) {
    m_fetch.begin_stretch(m_file_at);
  }
}

void ContentSteps::go_to_part(std::uint64_t part_at) {
  if (!m_grouping || m_stripe == part_at / m_stripe_size) return;
  end_group(m_size);
  if (m_stripes < k_max_stripes) return begin_group(part_at);
  m_grouping = false;
  m_fetch.begin_stretch(m_file_at + part_at);
}

void ContentSteps::write(const PlannedWrite& write, const PackDirectory& directory) {
  flush_local();
  if (m_local) m_local->note_missing();
  if (!m_grouping) {
    add(write);
    return want(write.source, directory);
  }
  append_by_frame(m_group_writes, write, directory);
  m_written = write.offset + write.length;
  const bool full = m_group_writes.size() >= k_max_group;
  if (full) {
    end_group(m_written);
    begin_group(m_written);
  }
  want(write.source, directory);
}

void ContentSteps::write_found(const PlannedWrite& write, const PackDirectory& directory,
                               std::span<const std::uint8_t> found) {
  PlannedWrite missing{write.offset, 0, {write.source.pack, write.source.first, 0}};
  const auto end_missing = [&](std::uint32_t next, std::uint64_t offset) {
    if (missing.length != 0) this->write(missing, directory);
    missing = {offset, 0, {write.source.pack, next, 0}};
  };
  std::uint64_t offset = write.offset;
  for (std::uint32_t i = 0; i < write.source.count; ++i) {
    const std::uint32_t chunk = write.source.first + i;
    const std::uint32_t length = directory.length(chunk);
    std::optional<LocalContent::Place> place;
    if (found[i] != k_not_found) {
      place = LocalContent::Place{found[i], offset};
    } else if (!is_page(directory, chunk)) {
      place = m_local->find_moved(offset, directory.digest(chunk), length);
    }
    if (place) {
      end_missing(chunk + 1, offset + length);
      add_local(*place, offset, length, directory.digest(chunk));
    } else {
      missing.length += length;
      ++missing.source.count;
    }
    offset += length;
  }
  end_missing(0, offset);
}

void ContentSteps::want(const ChunkRange& chunks, const PackDirectory& directory) {
  if (std::uint64_t{chunks.first} + chunks.count > directory.chunk_count()) return;
  const std::uint32_t last = directory.frame_of(chunks.first + chunks.count - 1);
  for (std::uint32_t frame = directory.frame_of(chunks.first); frame <= last; ++frame) {
    m_fetch.want(chunks.pack, directory, frame);
  }
}

void ContentSteps::add_local(const LocalContent::Place& place, std::uint64_t offset, std::uint64_t length,
                             const Digest& digest) {
  const std::size_t candidate = place.candidate;
  const std::uint64_t from = place.offset;
  const LocalFiles::Id id = m_local->id_of(candidate);
  if (from == offset) {
    m_local->note(candidate, length);
  } else {
    m_local->note_missing();
    m_local->note_copied(length);
  }
  if (m_local->candidates()[candidate].in_other_hands) {
    flush_local();
    return add(LocalWrite{offset, length, id, from, digest});
  }
  if (m_undecided && from == offset) decide_base(candidate);
  LocalWrite& last = m_last_local;
  if (last.length != 0 && last.file == id && last.offset + last.length == offset && last.from + last.length == from) {
    last.length += length;
    return;
  }
  flush_local();
  last = {offset, length, id, from};
}

void ContentSteps::flush_local() {
  if (m_last_local.length != 0) add(m_last_local);
  m_last_local = {};
}

void ContentSteps::hole(std::uint64_t offset, std::uint64_t length) {
  flush_local();
  if (m_undecided || m_based) add(PlannedHole{offset, length});
}

void ContentSteps::add(const ContentStep& step) {
  if (!m_undecided) return m_steps.add_step(step);
  m_waiting.push_back(step);
  if (m_waiting.size() >= k_max_waiting) decide_base(std::nullopt);
}

void ContentSteps::decide_base(std::optional<std::size_t> candidate) {
  if (!std::exchange(m_undecided, false)) return;
  // Whatever comes first: of the one that is mended little is written.
  if (m_local && m_local->spare()) candidate = m_local->spare();
  m_based = candidate.has_value();
  if (m_based) m_steps.add_step(LocalBase{m_local->id_of(*candidate)});
  for (const ContentStep& step : std::exchange(m_waiting, {})) {
    if (m_based || !std::holds_alternative<PlannedHole>(step)) m_steps.add_step(step);
  }
}

void ContentSteps::pending(const ContentStep& step, const PackDirectory* directory) {
  flush_local();
  if (m_local) m_local->note_missing();
  if (m_grouping) {
    m_group_steps.push_back(step);
  } else {
    add(step);
  }
  if (directory != nullptr) want(std::get<PendingWrite>(step).source, *directory);
}

void ContentSteps::pending_part(std::uint64_t part_end) {
  pending(PendingCheck{part_end}, nullptr);
  if (!m_grouping || m_group_steps.size() < k_max_group) return;
  end_group(part_end);
  begin_group(part_end);
}

void ContentSteps::end_file(const std::optional<std::string>& damage) {
  flush_local();
  if (m_grouping) {
    end_group(m_size);
    // The steps that come next are no part of it.
    if (m_scattered) m_fetch.begin_stretch(m_end);
  }
  decide_base(std::nullopt);
  if (damage) {
    if (m_local) m_local->note_missing();
    m_steps.add_step(DamagedContent{*damage});
  }
  if (m_local && m_local->settled) m_local->settled(*m_local);
  m_local.reset();
}

void ContentSteps::begin_group(std::uint64_t at) {
  ++m_stripes;
  m_stripe = at / m_stripe_size;
  m_group_at = at;
  m_fetch.begin_stretch(m_file_at + at);
}

// end: where what may still be of it ends in the file.
void ContentSteps::end_group(std::uint64_t end) {
  const std::uint64_t bytes = std::min(end - m_group_at, m_stripe_size);
  m_scattered = m_fetch.returns() > (bytes >> 20) * k_returns_per_mib;
  if (m_scattered) m_fetch.go_by_pack();
  write_group(m_scattered);
}

void ContentSteps::write_group(bool scattered) {
  // A pending step can be brought into order only when its frames are known.
  const bool later = scattered && !m_group_steps.empty();
  if (scattered && !later) order_by_pack(m_group_writes);
  if (later) add(PackOrderBegin{});
  for (const Write& write : m_group_writes) {
    add(PlannedWrite{write.offset, write.bytes, {write.frame.pack, write.first, write.count}});
  }
  for (const ContentStep& step : m_group_steps) add(step);
  if (later) add(PackOrderEnd{});
  m_group_writes.clear();
  m_group_steps.clear();
}

}  // namespace cairn
