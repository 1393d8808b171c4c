#include "engine/restore/write_feed.hpp"

#include "util/error.hpp"

#include <utility>

namespace cairn {

namespace {

// Writes that are brought into order at a time.
constexpr std::size_t k_max_ordered = 512 * 1024;

}  // namespace

WriteFeed::WriteFeed(RestoreSteps& steps, Directories directories)
    : m_steps(steps), m_directories(std::move(directories)) {}

std::optional<LocalFiles::Id> WriteFeed::begin(const Entry& file) {
  m_layout.emplace(file);
  m_pending = false;
  m_ordering = false;
  m_ready.clear();
  m_given = 0;
  m_others.clear();
  m_others_given = 0;
  m_ahead = m_steps.next_step();
  const auto* const base = m_ahead ? std::get_if<LocalBase>(&*m_ahead) : nullptr;
  m_based = base != nullptr;
  if (!m_based) return std::nullopt;
  const LocalFiles::Id id = base->file;
  m_ahead.reset();
  return id;
}

std::optional<WritePiece> WriteFeed::next() {
  for (;;) {
    if (m_given < m_ready.size()) return m_ready[m_given++];
    if (m_others_given < m_others.size()) return m_others[m_others_given++];
    m_ready.clear();
    m_given = 0;
    m_others.clear();
    m_others_given = 0;
    if (!fill()) return std::nullopt;
  }
}

std::optional<ContentStep> WriteFeed::next_step() {
  if (m_ahead) return std::exchange(m_ahead, std::nullopt);
  return m_steps.next_step();
}

// One step more, or all that are brought into order together. False at the end of the file.
bool WriteFeed::fill() {
  bool ordered = m_ordering;
  do {
    if (!take_step()) return false;
    ordered = ordered || m_ordering;
  } while (m_ordering && m_ready.size() < k_max_ordered);
  if (ordered) order_by_pack(m_ready);
  return true;
}

// False at the end of the file.
bool WriteFeed::take_step() {
  const auto step = next_step();
  if (!step) {
    if (m_pending) m_layout->check_whole();
    return false;
  }
  std::visit([this](const auto& what) { take(what); }, *step);
  return true;
}

void WriteFeed::take(const PlannedWrite& write) {
  append_by_frame(m_ready, write, *m_directories(write.source.pack));
}

void WriteFeed::take(const PendingBegin& begin) {
  m_pending = true;
  m_layout->begin_at(begin.offset);
}

void WriteFeed::take(const PendingWrite& write) {
  const auto directory = m_directories(write.source.pack);
  append_by_frame(m_ready, m_layout->place(write.source, *directory), *directory);
}

void WriteFeed::take(const PendingHole& hole) {
  const std::uint64_t offset = m_layout->end();
  m_layout->skip(hole.length);
  if (m_based) m_others.emplace_back(PlannedHole{offset, hole.length});
}

void WriteFeed::take(const PendingCheck& check) {
  m_layout->check_part(check.end);
}

void WriteFeed::take(const PackOrderBegin&) {
  m_ordering = true;
}

void WriteFeed::take(const PackOrderEnd&) {
  m_ordering = false;
}

void WriteFeed::take(const DamagedContent& damaged) {
  throw Error(ErrorKind::damaged, damaged.message);
}

// It is the first step, if at all.
void WriteFeed::take(const LocalBase&) {}

void WriteFeed::take(const LocalWrite& write) {
  m_others.emplace_back(write);
}

void WriteFeed::take(const PlannedHole& hole) {
  if (m_based) m_others.emplace_back(hole);
}

}  // namespace cairn
