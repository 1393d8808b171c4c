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

void WriteFeed::begin(const Entry& file) {
  m_layout.emplace(file);
  m_pending = false;
  m_ordering = false;
  m_ready.clear();
  m_given = 0;
}

std::optional<Write> WriteFeed::next() {
  while (m_given == m_ready.size()) {
    m_ready.clear();
    m_given = 0;
    if (!fill()) return std::nullopt;
  }
  return m_ready[m_given++];
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
  const auto step = m_steps.next_step();
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
  m_layout->skip(hole.length);
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

}  // namespace cairn
