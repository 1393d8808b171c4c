#include "util/spool_file.hpp"

#include "util/bytes.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <cstring>

namespace cairn {

namespace {
constexpr std::size_t k_write_buffer = 1 << 20;
constexpr std::size_t k_read_buffer = 1 << 14;
}  // namespace

SpoolFile::SpoolFile(fs::path directory) : m_directory(std::move(directory)) {}

void SpoolFile::write(ByteView bytes) {
  append(m_buffer, bytes);
  if (m_buffer.size() >= k_write_buffer) flush();
}

void SpoolFile::flush() {
  if (!m_fd) m_fd = open_nameless_file(m_directory);
  write_at(m_fd.get(), m_buffer, m_flushed, m_directory / "spool file");
  m_flushed += m_buffer.size();
  m_buffer.clear();
}

void SpoolFile::truncate(std::uint64_t size) {
  if (size >= m_flushed) {
    m_buffer.resize(static_cast<std::size_t>(size - m_flushed));
  } else {
    m_buffer.clear();
    m_flushed = size;
  }
  m_ahead.clear();
}

void SpoolFile::read_ahead(std::uint64_t from) {
  m_ahead.resize(static_cast<std::size_t>(std::min<std::uint64_t>(k_read_buffer, m_flushed - from)));
  m_ahead.resize(read_at(m_fd.get(), m_ahead, from, m_directory));
  m_ahead_from = from;
}

void SpoolFile::read(std::uint64_t from, ByteSpan out) {
  m_read_to = from + out.size();
  while (!out.empty()) {
    const bool in_memory = from >= m_flushed;
    if (!in_memory && (from < m_ahead_from || from >= m_ahead_from + m_ahead.size())) read_ahead(from);
    const ByteView piece = in_memory
                               ? ByteView{m_buffer}.subspan(std::min<std::uint64_t>(from - m_flushed, m_buffer.size()))
                               : ByteView{m_ahead}.subspan(m_ahead.empty() ? 0 : from - m_ahead_from);
    if (piece.empty()) throw Error(ErrorKind::failed, "unable to read back a spool file: it ends too early");
    const std::size_t n = std::min(out.size(), piece.size());
    std::memcpy(out.data(), piece.data(), n);
    out = out.subspan(n);
    from += n;
  }
}

}  // namespace cairn
