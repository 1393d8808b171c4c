#include "engine/follow/standby_state.hpp"

#include "util/bytes.hpp"

#include <algorithm>
#include <fcntl.h>
#include <functional>
#include <string_view>

#include <sys/stat.h>

namespace cairn {

namespace {

// The file: the magic, the snapshot's id, entries, and the digest of all that. An entry: its length (of what follows),
// type, which of the optional parts it has, path, and these parts. Integers are little-endian.
constexpr std::string_view k_magic = "cairn-standby 1\n";
constexpr std::size_t k_digest = sizeof(Digest::bytes);
constexpr std::size_t k_head = k_magic.size() + k_digest;
constexpr std::size_t k_buffer = 1U << 20;
constexpr std::uint32_t k_has_stamp = 1;
constexpr std::uint32_t k_has_extents = 2;
constexpr std::uint32_t k_has_spare = 4;
constexpr std::size_t k_stamp = 5 * 8;
constexpr std::size_t k_extent = 3 * 8 + 2 * 4;

std::uint64_t hash_of(std::string_view path) {
  return std::hash<std::string_view>{}(path);
}

void put_stamp(Bytes& to, const FileStamp& stamp) {
  put_u64(to, stamp.id.device);
  put_u64(to, stamp.id.inode);
  put_u64(to, stamp.size);
  put_u64(to, static_cast<std::uint64_t>(stamp.mtime));
  put_u64(to, static_cast<std::uint64_t>(stamp.ctime));
}

void put_extents(Bytes& to, const KnownExtents& extents) {
  put_u64(to, extents.size());
  for (const KnownExtent& extent : extents) {
    put_u64(to, extent.offset);
    put_u64(to, extent.length);
    put_u64(to, extent.chunks.pack);
    put_u32(to, extent.chunks.first);
    put_u32(to, extent.chunks.count);
  }
}

// Takes an entry apart. Nothing of it is believed: what it says of lengths is held against what there is.
class Parts {
 public:
  explicit Parts(ByteView bytes) : m_left(bytes) {}

  bool ok() const noexcept { return m_ok; }
  bool at_end() const noexcept { return m_left.empty(); }
  std::uint32_t u32() { return take(4) ? get_u32(m_taken.data()) : 0; }
  std::uint64_t u64() { return take(8) ? get_u64(m_taken.data()) : 0; }
  std::string text(std::size_t length) { return take(length) ? std::string{as_text(m_taken)} : std::string{}; }
  FileStamp stamp() {
    if (m_left.size() < k_stamp) return fail<FileStamp>();
    FileStamp stamp;
    stamp.id.device = static_cast<dev_t>(u64());
    stamp.id.inode = static_cast<ino_t>(u64());
    stamp.size = u64();
    stamp.mtime = static_cast<std::int64_t>(u64());
    stamp.ctime = static_cast<std::int64_t>(u64());
    return stamp;
  }
  KnownExtents extents() {
    const std::uint64_t count = u64();
    if (count > m_left.size() / k_extent) return fail<KnownExtents>();
    KnownExtents out(static_cast<std::size_t>(count));
    for (KnownExtent& extent : out) {
      extent.offset = u64();
      extent.length = u64();
      extent.chunks.pack = u64();
      extent.chunks.first = u32();
      extent.chunks.count = u32();
    }
    return out;
  }

 private:
  bool take(std::size_t length) {
    if (length > m_left.size()) m_ok = false;
    if (!m_ok) return false;
    m_taken = m_left.first(length);
    m_left = m_left.subspan(length);
    return true;
  }
  template <class T>
  T fail() {
    m_ok = false;
    return {};
  }

  ByteView m_left;
  ByteView m_taken;
  bool m_ok = true;
};

}  // namespace

std::optional<StandbyEntry> decode_standby_entry(ByteView rest) {
  Parts parts{rest};
  StandbyEntry entry;
  const std::uint32_t type = parts.u32();
  const std::uint32_t has = parts.u32();
  entry.path = parts.text(parts.u32());
  if (type > static_cast<std::uint32_t>(EntryType::block_device)) return std::nullopt;
  entry.type = static_cast<EntryType>(type);
  if ((has & k_has_stamp) != 0) entry.stamp = parts.stamp();
  if ((has & k_has_extents) != 0) entry.extents = parts.extents();
  if ((has & k_has_spare) != 0) {
    entry.spare = parts.stamp();
    entry.spare_extents = parts.extents();
  }
  if (!parts.ok() || !parts.at_end()) return std::nullopt;
  return entry;
}

Bytes encode(const StandbyEntry& entry) {
  Bytes out;
  put_u32(out, 0);
  put_u32(out, static_cast<std::uint32_t>(entry.type));
  put_u32(out, (entry.stamp ? k_has_stamp : 0) | (entry.extents ? k_has_extents : 0) | (entry.spare ? k_has_spare : 0));
  put_u32(out, static_cast<std::uint32_t>(entry.path.size()));
  append(out, as_bytes(entry.path));
  if (entry.stamp) put_stamp(out, *entry.stamp);
  if (entry.extents) put_extents(out, *entry.extents);
  if (entry.spare) {
    put_stamp(out, *entry.spare);
    put_extents(out, entry.spare_extents);
  }
  Bytes length;
  put_u32(length, static_cast<std::uint32_t>(out.size() - 4));
  std::copy(length.begin(), length.end(), out.begin());
  return out;
}

std::optional<StandbyState> StandbyState::load(const fs::path& file) {
  auto fd = open_file_if_exists(file, O_RDONLY | O_NOFOLLOW);
  struct stat status {};
  if (!fd || ::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  StandbyState state{std::move(*fd)};
  if (!state.read_all(static_cast<std::uint64_t>(status.st_size), file)) return std::nullopt;
  return state;
}

bool StandbyState::read_all(std::uint64_t size, const fs::path& file) {
  if (size < k_head + k_digest) return false;
  const std::uint64_t end = size - k_digest;
  Bytes bytes(k_head);
  Sha256 hash;
  if (read_at(m_fd.get(), bytes, 0, file) != bytes.size()) return false;
  if (as_text(ByteView{bytes}.first(k_magic.size())) != k_magic) return false;
  std::copy(bytes.begin() + k_magic.size(), bytes.end(), m_snapshot.bytes.begin());
  hash.update(bytes);
  for (std::uint64_t at = k_head; at < end;) {
    bytes.resize(4);
    if (end - at < 4 || read_at(m_fd.get(), bytes, at, file) != 4) return false;
    const std::uint32_t length = get_u32(bytes.data());
    if (length > end - at - 4) return false;
    bytes.resize(4 + std::size_t{length});
    if (read_at(m_fd.get(), bytes, at, file) != bytes.size()) return false;
    hash.update(bytes);
    const auto entry = decode_standby_entry(ByteView{bytes}.subspan(4));
    if (!entry) return false;
    m_places.emplace_back(hash_of(entry->path), at);
    if (entry->spare) m_spare = at;
    at += bytes.size();
  }
  bytes.resize(k_digest);
  if (read_at(m_fd.get(), bytes, end, file) != bytes.size()) return false;
  const Digest digest = hash.finish();
  if (!std::equal(bytes.begin(), bytes.end(), digest.bytes.begin())) return false;
  std::sort(m_places.begin(), m_places.end());
  return true;
}

// Of a file that was whole when it was loaded, and is never written again: another one takes its name.
std::optional<StandbyEntry> StandbyState::read(std::uint64_t at) const {
  Bytes bytes(4);
  if (read_there(m_fd.get(), bytes, at) != bytes.size()) return std::nullopt;
  bytes.resize(get_u32(bytes.data()));
  if (read_there(m_fd.get(), bytes, at + 4) != bytes.size()) return std::nullopt;
  return decode_standby_entry(bytes);
}

std::optional<StandbyEntry> StandbyState::find(const std::string& path) const {
  const std::uint64_t hash = hash_of(path);
  for (auto at = std::lower_bound(m_places.begin(), m_places.end(), std::pair{hash, std::uint64_t{0}});
       at != m_places.end() && at->first == hash; ++at) {
    auto entry = read(at->second);
    if (entry && entry->path == path) return entry;
  }
  return std::nullopt;
}

std::optional<StandbyEntry> StandbyState::with_spare() const {
  if (!m_spare) return std::nullopt;
  return read(*m_spare);
}

StandbyStateWriter::StandbyStateWriter(const fs::path& file, const Digest& snapshot) : m_file(file, 0600) {
  write(as_bytes(k_magic));
  write(snapshot.bytes);
}

void StandbyStateWriter::add(const StandbyEntry& entry) {
  write(encode(entry));
}

void StandbyStateWriter::write(ByteView bytes) {
  append(m_buffer, bytes);
  if (m_buffer.size() >= k_buffer) flush();
}

void StandbyStateWriter::flush() {
  m_hash.update(m_buffer);
  m_file.write(m_buffer);
  m_buffer.clear();
}

void StandbyStateWriter::commit() {
  flush();
  m_file.write(m_hash.finish().bytes);
  m_file.commit();
}

}  // namespace cairn
