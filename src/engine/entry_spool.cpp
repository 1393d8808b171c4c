#include "engine/entry_spool.hpp"

#include "util/error.hpp"

#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace cairn {

namespace {
constexpr std::size_t k_buffer = 1 << 20;
}

LocalExtent local_hole(std::uint64_t bytes) noexcept {
  return {k_hole_source, static_cast<std::uint32_t>(bytes >> 32), static_cast<std::uint32_t>(bytes)};
}

std::uint64_t hole_bytes(const LocalExtent& e) noexcept {
  return std::uint64_t{e.first} << 32 | e.count;
}

void append_place(std::vector<LocalExtent>& to, ChunkPlace place) {
  if (!to.empty() && to.back().source == place.source && to.back().first + to.back().count == place.chunk) {
    ++to.back().count;
    return;
  }
  to.push_back({place.source, place.chunk, 1});
}

SpoolFile::SpoolFile(const fs::path& directory) : m_name(directory / (".tmp-spool-" + random_name())) {
  m_fd = open_file(m_name, O_RDWR | O_CREAT | O_EXCL, 0600);
  ::unlink(m_name.c_str());
  m_buffer.reserve(k_buffer);
}

void SpoolFile::write(ByteView bytes) {
  append(m_buffer, bytes);
  if (m_buffer.size() >= k_buffer) flush();
}

void SpoolFile::flush() {
  write_at(m_fd.get(), m_buffer, m_offset, m_name);
  m_offset += m_buffer.size();
  m_buffer.clear();
}

void SpoolFile::truncate(std::uint64_t position) {
  if (position >= m_offset) {
    m_buffer.resize(static_cast<std::size_t>(position - m_offset));
  } else {
    m_buffer.clear();
    m_offset = position;
  }
}

void SpoolFile::rewind() {
  flush();
  m_offset = 0;
  m_position = 0;
}

void SpoolFile::read(ByteSpan out) {
  while (!out.empty()) {
    if (m_position == m_buffer.size()) {
      m_buffer.resize(k_buffer);
      m_buffer.resize(read_at(m_fd.get(), m_buffer, m_offset, m_name));
      m_offset += m_buffer.size();
      m_position = 0;
      if (m_buffer.empty()) throw Error(ErrorKind::failed, "unable to read back a spool file: it ends too early");
    }
    const std::size_t n = std::min(out.size(), m_buffer.size() - m_position);
    std::memcpy(out.data(), m_buffer.data() + m_position, n);
    m_position += n;
    out = out.subspan(n);
  }
}

EntrySpool::EntrySpool(const fs::path& directory) : m_entries(directory), m_parts(directory) {}

void EntrySpool::add_part(const LocalPart& part) {
  Bytes bytes;
  put_u64(bytes, part.size);
  put_u64(bytes, part.extents.size());
  for (const auto& e : part.extents) {
    put_u32(bytes, e.source);
    put_u32(bytes, e.first);
    put_u32(bytes, e.count);
  }
  m_parts.write(bytes);
  ++m_pending_parts;
}

void EntrySpool::add_entry(const std::string& head, bool is_file) {
  Bytes bytes;
  put_u32(bytes, static_cast<std::uint32_t>(head.size()));
  put_u32(bytes, is_file ? 1 : 0);
  put_u64(bytes, m_pending_parts);
  append(bytes, as_bytes(head));
  m_entries.write(bytes);
  m_pending_parts = 0;
  m_parts_begin = m_parts.position();
  ++m_left;
}

void EntrySpool::drop_parts() {
  m_parts.truncate(m_parts_begin);
  m_pending_parts = 0;
}

void EntrySpool::rewind() {
  m_entries.rewind();
  m_parts.rewind();
}

bool EntrySpool::next_entry(Stored& out) {
  if (m_left == 0) return false;
  --m_left;
  std::uint8_t fixed[16];
  m_entries.read(fixed);
  out.head.resize(get_u32(fixed));
  out.is_file = get_u32(fixed + 4) != 0;
  out.parts = get_u64(fixed + 8);
  m_entries.read({reinterpret_cast<std::uint8_t*>(out.head.data()), out.head.size()});
  return true;
}

void EntrySpool::next_part(LocalPart& out) {
  std::uint8_t fixed[16];
  m_parts.read(fixed);
  out.size = get_u64(fixed);
  out.extents.resize(get_u64(fixed + 8));
  for (auto& e : out.extents) {
    m_parts.read(ByteSpan{fixed}.first(12));
    e = {get_u32(fixed), get_u32(fixed + 4), get_u32(fixed + 8)};
  }
}

}  // namespace cairn
