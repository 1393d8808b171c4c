#include "engine/restore/in_order.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <unistd.h>
#include <utility>

namespace cairn {

namespace {

constexpr std::size_t k_read = 1 << 20;

[[noreturn]] void refuse(const char* why) {
  throw Error(ErrorKind::damaged, why);
}

}  // namespace

InOrder::InOrder(fs::path directory, SegmentCursor data, Emit emit)
    : m_directory(std::move(directory)), m_data(std::move(data)), m_emit(std::move(emit)) {
  next_segment();
}

void InOrder::next_segment() {
  m_segment = m_data.next();
  if (m_segment) m_at = m_segment->offset;
}

void InOrder::emit(ByteView bytes) {
  // Ranges that touch are one segment, so no content reaches from one into the next.
  if (!m_segment || bytes.size() > m_segment->end() - m_at) refuse("content where its extents tell of none");
  m_emit(m_at, bytes);
  m_at += bytes.size();
  if (m_at == m_segment->end()) next_segment();
}

void InOrder::push(std::uint64_t offset, ByteView bytes) {
  if (bytes.empty()) return;
  if (!m_segment || offset < m_at) refuse("a part of its content comes twice");
  if (offset != m_at) return hold(offset, bytes);
  emit(bytes);
  emit_held();
}

void InOrder::hold(std::uint64_t offset, ByteView bytes) {
  if (!m_file) m_file = open_nameless_file(m_directory);
  if (m_held.empty()) m_file_begin = m_at;
  write_at(m_file.get(), bytes, offset - m_file_begin, m_directory / "spool file");
  std::uint64_t begin = offset;
  std::uint64_t end = offset + bytes.size();
  auto after = m_held.lower_bound(begin);
  if (after != m_held.end() && after->first < end) refuse("a part of its content comes twice");
  if (after != m_held.end() && after->first == end) {
    end = after->second;
    after = m_held.erase(after);
  }
  if (after != m_held.begin()) {
    const auto before = std::prev(after);
    if (before->second > begin) refuse("a part of its content comes twice");
    if (before->second == begin) {
      begin = before->first;
      m_held.erase(before);
    }
  }
  m_held.emplace(begin, end);
}

// Whose turn has come.
void InOrder::emit_held() {
  while (!m_held.empty() && m_held.begin()->first == m_at) {
    std::uint64_t begin = m_at;
    const std::uint64_t end = m_held.begin()->second;
    m_held.erase(m_held.begin());
    Bytes piece;
    while (begin < end) {
      check_interrupted();
      piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(k_read, end - begin)));
      if (read_at(m_file.get(), piece, begin - m_file_begin, m_directory) != piece.size()) {
        throw Error(ErrorKind::failed, "unable to read back a spool file: it ends too early");
      }
      begin += piece.size();
      emit(piece);
    }
  }
  if (!m_held.empty() && m_held.begin()->first < m_at) refuse("a part of its content comes twice");
  if (m_held.empty() && m_file && ::ftruncate(m_file.get(), 0) != 0) {
    throw_errno("empty a spool file in", m_directory.native(), errno);
  }
}

void InOrder::finish() const {
  if (m_segment) refuse("a part of its content did not come");
}

}  // namespace cairn
