#include "engine/snapshot/entry_spool.hpp"

#include "util/bytes.hpp"

#include <utility>

namespace cairn {

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

EntrySpool::EntrySpool(const fs::path& directory) : m_entries(directory), m_parts(directory) {}

std::size_t EntrySpool::keep_place() {
  m_places.push_back({m_entries_in_order, std::nullopt});
  return m_places.size() - 1;
}

void EntrySpool::go_to_place(std::size_t place) {
  m_place = place;
}

void EntrySpool::arrange(const std::vector<std::size_t>& order) {
  std::vector<OutOfOrder> arranged;
  arranged.reserve(order.size());
  for (const auto place : order) arranged.push_back(m_places[place]);
  m_places = std::move(arranged);
}

void EntrySpool::add_part(const LocalPart& part) {
  m_record.clear();
  put_u64(m_record, part.size);
  put_u64(m_record, part.extents.size());
  for (const auto& e : part.extents) {
    put_u32(m_record, e.source);
    put_u32(m_record, e.first);
    put_u32(m_record, e.count);
  }
  m_parts.write(m_record);
  ++m_pending_parts;
}

void EntrySpool::add_entry(const std::string& head, bool is_file) {
  m_record.clear();
  put_u32(m_record, static_cast<std::uint32_t>(head.size()));
  put_u32(m_record, is_file ? 1 : 0);
  put_u64(m_record, m_pending_parts);
  append(m_record, as_bytes(head));
  if (m_place) {
    m_places[*m_place].entry = Position{m_entries.size(), m_parts_begin};
    m_place.reset();
  } else {
    ++m_entries_in_order;
  }
  m_entries.write(m_record);
  m_pending_parts = 0;
  m_parts_begin = m_parts.size();
}

void EntrySpool::drop_parts() {
  m_parts.truncate(m_parts_begin);
  m_pending_parts = 0;
}

void EntrySpool::rewind() {
  m_read = 0;
  m_places_read = 0;
  m_in_order = {};
}

void EntrySpool::read_entry(Position& from, Stored& out) {
  m_current = &from;
  std::uint8_t fixed[16];
  m_entries.read(from.entry, fixed);
  out.head.resize(get_u32(fixed));
  out.is_file = get_u32(fixed + 4) != 0;
  out.parts = get_u64(fixed + 8);
  m_entries.read({reinterpret_cast<std::uint8_t*>(out.head.data()), out.head.size()});
  from.entry += sizeof fixed + out.head.size();
}

bool EntrySpool::next_entry(Stored& out) {
  while (m_places_read < m_places.size() && m_places[m_places_read].after == m_read) {
    const OutOfOrder& place = m_places[m_places_read++];
    if (!place.entry) continue;
    m_at_place = *place.entry;
    read_entry(m_at_place, out);
    return true;
  }
  if (m_read == m_entries_in_order) return false;
  ++m_read;
  read_entry(m_in_order, out);
  return true;
}

void EntrySpool::next_part(LocalPart& out) {
  constexpr std::size_t k_extent = 12;
  std::uint8_t fixed[16];
  m_parts.read(m_current->parts, fixed);
  out.size = get_u64(fixed);
  out.extents.resize(get_u64(fixed + 8));
  for (auto& e : out.extents) {
    m_parts.read(ByteSpan{fixed}.first(k_extent));
    e = {get_u32(fixed), get_u32(fixed + 4), get_u32(fixed + 8)};
  }
  m_current->parts += sizeof fixed + out.extents.size() * k_extent;
}

}  // namespace cairn
