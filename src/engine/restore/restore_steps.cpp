#include "engine/restore/restore_steps.hpp"

#include "capture/sqlite/companions.hpp"
#include "util/bytes.hpp"

#include <algorithm>
#include <chrono>

namespace cairn {

namespace {

// The first byte of a record: an entry, or a step of its content by its place in ContentStep, counted from one.
constexpr std::uint8_t k_entry = 0;

constexpr std::size_t k_header = 1 + 4;  // kind, bytes that follow

void put_text(Bytes& to, std::string_view text) {
  put_u32(to, static_cast<std::uint32_t>(text.size()));
  append(to, as_bytes(text));
}

void put_entry(Bytes& to, const PlannedEntry& planned) {
  const Entry& entry = planned.entry;
  to.push_back(static_cast<std::uint8_t>(entry.type));
  to.push_back(static_cast<std::uint8_t>(planned.action));
  to.push_back(static_cast<std::uint8_t>(planned.if_settled));
  to.push_back(planned.asked_for ? 1 : 0);
  put_u64(to, planned.seen);
  for (const std::uint32_t value : {entry.mode, entry.uid, entry.gid, entry.device_major, entry.device_minor}) {
    put_u32(to, value);
  }
  put_u64(to, static_cast<std::uint64_t>(entry.mtime.time_since_epoch().count()));
  put_u64(to, entry.size);
  put_text(to, entry.path);
  put_text(to, entry.link_target);
  put_u32(to, static_cast<std::uint32_t>(entry.xattrs.size()));
  for (const Xattr& xattr : entry.xattrs) {
    put_text(to, xattr.name);
    put_text(to, xattr.value);
  }
}

// Takes the fields of a record in the order in which they were put.
class Fields {
 public:
  explicit Fields(ByteView bytes) : m_left(bytes) {}
  std::uint8_t u8() { return take(1)[0]; }
  std::uint32_t u32() { return get_u32(take(4).data()); }
  std::uint64_t u64() { return get_u64(take(8).data()); }
  std::string text() { return std::string{as_text(take(u32()))}; }
  std::string rest() { return std::string{as_text(take(m_left.size()))}; }
  void bytes(ByteSpan out) {
    const ByteView taken = take(out.size());
    std::copy(taken.begin(), taken.end(), out.begin());
  }
  bool ended() const noexcept { return m_left.empty(); }

 private:
  ByteView take(std::size_t n) {
    const ByteView taken = m_left.first(n);
    m_left = m_left.subspan(n);
    return taken;
  }
  ByteView m_left;
};

PlannedEntry get_entry(Fields from) {
  PlannedEntry planned;
  Entry& entry = planned.entry;
  entry.type = static_cast<EntryType>(from.u8());
  planned.action = static_cast<EntryAction>(from.u8());
  planned.if_settled = static_cast<EntryAction>(from.u8());
  planned.asked_for = from.u8() != 0;
  planned.seen = from.u64();
  for (std::uint32_t* value : {&entry.mode, &entry.uid, &entry.gid, &entry.device_major, &entry.device_minor}) {
    *value = from.u32();
  }
  entry.mtime = Time{Time::duration{static_cast<std::int64_t>(from.u64())}};
  entry.size = from.u64();
  entry.path = from.text();
  entry.link_target = from.text();
  entry.xattrs.resize(from.u32());
  for (Xattr& xattr : entry.xattrs) {
    xattr.name = from.text();
    xattr.value = from.text();
  }
  return planned;
}

void put(Bytes& to, const ChunkRange& range) {
  put_u64(to, range.pack);
  put_u32(to, range.first);
  put_u32(to, range.count);
}
void put(Bytes& to, const PlannedWrite& write) {
  put_u64(to, write.offset);
  put_u64(to, write.length);
  put(to, write.source);
}
void put(Bytes& to, const PendingBegin& begin) {
  put_u64(to, begin.offset);
}
void put(Bytes& to, const PendingWrite& write) {
  put(to, write.source);
}
void put(Bytes& to, const PendingHole& hole) {
  put_u64(to, hole.length);
}
void put(Bytes& to, const PendingCheck& check) {
  put_u64(to, check.end);
}
void put(Bytes&, const PackOrderBegin&) {}
void put(Bytes&, const PackOrderEnd&) {}
void put(Bytes& to, const DamagedContent& damaged) {
  append(to, as_bytes(damaged.message));
}

void put(Bytes& to, const LocalBase& base) {
  put_u64(to, base.file);
}
void put(Bytes& to, const LocalWrite& write) {
  for (const std::uint64_t value : {write.offset, write.length, write.file, write.from}) put_u64(to, value);
  if (write.digest) append(to, write.digest->bytes);
}
void put(Bytes& to, const PlannedHole& hole) {
  put_u64(to, hole.offset);
  put_u64(to, hole.length);
}

void get(Fields& from, ChunkRange& range) {
  range.pack = from.u64();
  range.first = from.u32();
  range.count = from.u32();
}
void get(Fields& from, PlannedWrite& write) {
  write.offset = from.u64();
  write.length = from.u64();
  get(from, write.source);
}
void get(Fields& from, PendingBegin& begin) {
  begin.offset = from.u64();
}
void get(Fields& from, PendingWrite& write) {
  get(from, write.source);
}
void get(Fields& from, PendingHole& hole) {
  hole.length = from.u64();
}
void get(Fields& from, PendingCheck& check) {
  check.end = from.u64();
}
void get(Fields&, PackOrderBegin&) {}
void get(Fields&, PackOrderEnd&) {}
void get(Fields& from, DamagedContent& damaged) {
  damaged.message = from.rest();
}

void get(Fields& from, LocalBase& base) {
  base.file = from.u64();
}
void get(Fields& from, LocalWrite& write) {
  for (std::uint64_t* value : {&write.offset, &write.length, &write.file, &write.from}) *value = from.u64();
  if (from.ended()) return;
  write.digest.emplace();
  from.bytes(write.digest->bytes);
}
void get(Fields& from, PlannedHole& hole) {
  hole.offset = from.u64();
  hole.length = from.u64();
}

PlannedRemoval get_removal(Fields from) {
  PlannedRemoval removal;
  removal.directory = from.u8() != 0;
  removal.in_the_way = from.u8() != 0;
  removal.id.device = static_cast<dev_t>(from.u64());
  removal.id.inode = static_cast<ino_t>(from.u64());
  removal.path = from.rest();
  return removal;
}

// The alternative of ContentStep with that number.
template <std::size_t N = 0>
ContentStep get_step(std::size_t number, Fields from) {
  if constexpr (N + 1 < std::variant_size_v<ContentStep>) {
    if (number != N) return get_step<N + 1>(number, from);
  }
  std::variant_alternative_t<N, ContentStep> step;
  get(from, step);
  return step;
}

void begin_record(Bytes& record, std::uint8_t kind) {
  record.clear();
  record.push_back(kind);
  put_u32(record, 0);
}
// Its size is known.
void end_record(Bytes& record) {
  const auto size = static_cast<std::uint32_t>(record.size() - k_header);
  for (std::size_t i = 0; i < 4; ++i) record[1 + i] = static_cast<std::uint8_t>(size >> (8 * i));
}

}  // namespace

RestoreSteps::RestoreSteps(const fs::path& directory)
    : m_entries(directory), m_links(directory), m_removals(directory) {}

void RestoreSteps::add_entry(const PlannedEntry& planned) {
  begin_record(m_record, k_entry);
  put_entry(m_record, planned);
  end_record(m_record);
  const bool link = planned.entry.type == EntryType::hard_link;
  if (!link) m_last_entry = m_entries.size();
  (link ? m_links : m_entries).write(m_record);
}

void RestoreSteps::add_step(const ContentStep& step) {
  begin_record(m_record, static_cast<std::uint8_t>(step.index() + 1));
  std::visit([this](const auto& what) { put(m_record, what); }, step);
  end_record(m_record);
  m_entries.write(m_record);
}

void RestoreSteps::retract() {
  m_entries.truncate(m_last_entry);
}

void RestoreSteps::add_removal(const PlannedRemoval& removal) {
  begin_record(m_record, k_entry);
  m_record.push_back(removal.directory ? 1 : 0);
  m_record.push_back(removal.in_the_way ? 1 : 0);
  put_u64(m_record, removal.id.device);
  put_u64(m_record, removal.id.inode);
  append(m_record, as_bytes(removal.path));
  end_record(m_record);
  m_removals.write(m_record);
}

void RestoreSteps::rewind() {
  m_entry_at = 0;
  m_link_at = 0;
  m_removal_at = 0;
  m_stays = false;
}

// The record that comes next, into m_record.
void RestoreSteps::read_record(SpoolFile& from, std::uint64_t& at) {
  std::uint8_t header[k_header];
  from.read(at, header);
  m_record.resize(get_u32(header + 1));
  from.read(m_record);
  at += sizeof header + m_record.size();
}

PlannedEntry RestoreSteps::read_entry(SpoolFile& from, std::uint64_t& at) {
  read_record(from, at);
  PlannedEntry planned = get_entry(Fields{m_record});
  m_stays = m_settled.contains(planned.entry.path);
  if (m_stays) planned.action = planned.if_settled;
  return planned;
}

std::optional<PlannedEntry> RestoreSteps::next_entry() {
  while (skip_step()) continue;
  if (m_entry_at < m_entries.size()) return read_entry(m_entries, m_entry_at);
  if (m_link_at < m_links.size()) return read_entry(m_links, m_link_at);
  return std::nullopt;
}

bool RestoreSteps::skip_step() {
  if (m_entry_at == m_entries.size()) return false;
  std::uint8_t header[k_header];
  m_entries.read(m_entry_at, header);
  if (header[0] == k_entry) return false;
  m_entry_at += sizeof header + get_u32(header + 1);
  return true;
}

std::optional<ContentStep> RestoreSteps::next_step() {
  if (m_stays || m_entry_at == m_entries.size()) return std::nullopt;
  std::uint8_t header[k_header];
  m_entries.read(m_entry_at, header);
  if (header[0] == k_entry) return std::nullopt;
  read_record(m_entries, m_entry_at);
  return get_step(header[0] - 1U, Fields{m_record});
}

bool RestoreSteps::is_spared(const PlannedRemoval& removal) const {
  if (m_spared.empty()) return false;
  const std::string& path = removal.path;
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (m_spared.contains(path.substr(0, slash))) return true;
  }
  if (removal.directory) return false;
  return std::any_of(sqlite::k_companions.begin(), sqlite::k_companions.end(), [&](std::string_view suffix) {
    return path.ends_with(suffix) && m_spared.contains(path.substr(0, path.size() - suffix.size()));
  });
}

std::uint64_t RestoreSteps::spare(std::set<std::string> paths) {
  m_spared = std::move(paths);
  std::uint64_t spared = 0;
  for (std::uint64_t at = 0; at != m_removals.size();) {
    read_record(m_removals, at);
    if (is_spared(get_removal(Fields{m_record}))) ++spared;
  }
  return spared;
}

std::optional<PlannedRemoval> RestoreSteps::next_removal() {
  while (m_removal_at != m_removals.size()) {
    read_record(m_removals, m_removal_at);
    PlannedRemoval removal = get_removal(Fields{m_record});
    if (!is_spared(removal)) return removal;
  }
  return std::nullopt;
}

}  // namespace cairn
