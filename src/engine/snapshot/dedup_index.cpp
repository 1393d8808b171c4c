#include "engine/snapshot/dedup_index.hpp"

#include "util/bytes.hpp"

#include <algorithm>
#include <utility>

namespace cairn {

namespace {

constexpr std::size_t k_record = 32 + 4 + 4;
constexpr std::size_t k_first_slots = 16;
// Records beyond are not remembered: numbers have 32 bits. 2^32 chunks of 16 KiB are 64 TiB.
constexpr std::uint32_t k_max_records = 0xffffffff;
// A stretch of new chunks longer than this is not taken to replace as many old ones.
constexpr std::uint32_t k_max_replaced = 256;

std::uint32_t tag_of(const Digest& digest) noexcept {
  return get_u32(digest.bytes.data());
}

// The high bits: the low ones are zero in a table that was thinned out.
std::size_t slot_of(std::uint32_t tag, std::size_t slots) noexcept {
  return static_cast<std::size_t>(std::uint64_t{tag} * slots >> 32);
}

}  // namespace

DedupIndex::DedupIndex(fs::path scratch, std::size_t max_table)
    : m_records(std::move(scratch)), m_max(max_table), m_shards(k_shards) {}

DedupIndex::Shard& DedupIndex::shard_of(const Digest& digest) noexcept {
  return m_shards[digest.bytes[sizeof(std::uint32_t)] % k_shards];
}

bool DedupIndex::sampled(std::uint32_t tag) const noexcept {
  return (tag & ((1U << m_sampling) - 1)) == 0;
}

void DedupIndex::insert(const Digest& digest, ChunkPlace place) {
  if (m_count == k_max_records) return;
  Bytes record;
  record.reserve(k_record);
  append(record, digest.bytes);
  put_u32(record, place.source);
  put_u32(record, place.chunk);
  m_records.write(record);
  ++m_count;
  const std::uint32_t tag = tag_of(digest);
  if (!sampled(tag) || look_up(digest)) return;
  if (m_used >= m_max) thin_out();
  if (sampled(tag)) add(shard_of(digest), {tag, m_count});
}

void DedupIndex::add(Shard& shard, Slot slot) {
  if ((shard.used + 1) * 8 > shard.slots.size() * 7) {
    resize(shard, std::max(k_first_slots, shard.slots.size() + shard.slots.size() / 4));
  }
  std::size_t at = slot_of(slot.tag, shard.slots.size());
  while (shard.slots[at].number != 0) {
    if (++at == shard.slots.size()) at = 0;
  }
  shard.slots[at] = slot;
  ++shard.used;
  ++m_used;
}

void DedupIndex::resize(Shard& shard, std::size_t slots) {
  std::vector<Slot> old = std::exchange(shard.slots, std::vector<Slot>(slots));
  m_used -= std::exchange(shard.used, 0);
  for (const auto& slot : old) {
    if (slot.number != 0 && sampled(slot.tag)) add(shard, slot);
  }
}

void DedupIndex::thin_out() {
  while (m_used >= m_max && m_sampling < 31) {
    ++m_sampling;
    for (auto& shard : m_shards) resize(shard, shard.slots.size());
  }
}

std::optional<DedupIndex::ChunkMatch> DedupIndex::compare(std::uint32_t record, const Digest& digest) {
  std::uint8_t bytes[k_record];
  m_records.read(std::uint64_t{record} * k_record, bytes);
  if (!std::equal(digest.bytes.begin(), digest.bytes.end(), bytes)) return std::nullopt;
  return ChunkMatch{record, {get_u32(bytes + 32), get_u32(bytes + 36)}};
}

std::optional<DedupIndex::ChunkMatch> DedupIndex::look_up(const Digest& digest) {
  const auto& slots = shard_of(digest).slots;
  if (slots.empty()) return std::nullopt;
  const std::uint32_t tag = tag_of(digest);
  std::size_t at = slot_of(tag, slots.size());
  while (slots[at].number != 0) {
    if (slots[at].tag == tag) {
      if (const auto found = compare(slots[at].number - 1, digest)) return found;
    }
    if (++at == slots.size()) at = 0;
  }
  return std::nullopt;
}

std::optional<DedupIndex::ChunkMatch> DedupIndex::follow(const Digest& digest) {
  if (m_missed != 0 && m_missed <= k_max_replaced && m_missed < m_count - std::min(m_next, m_count)) {
    if (const auto found = compare(m_next + m_missed, digest)) return found;
  }
  return m_next < m_count ? compare(m_next, digest) : std::nullopt;
}

std::optional<ChunkPlace> DedupIndex::find(const Digest& digest) {
  auto found = follow(digest);
  if (!found) found = look_up(digest);
  if (!found) {
    if (m_sampling != 0) ++m_missed;
    return std::nullopt;
  }
  m_next = found->record + 1;
  m_missed = 0;
  return found->place;
}

}  // namespace cairn
