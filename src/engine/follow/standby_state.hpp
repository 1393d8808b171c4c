// What this host remembers of a target that it keeps at the newest snapshot: which snapshot it put there, and how each
// entry was when that was done. A file of its state; without it nothing is lost but the time to read the target.
//
// Room engine/follow: restores to one target again and again.
#pragma once

#include "codec/digest.hpp"
#include "engine/restore/known_extents.hpp"
#include "engine/restore/local_files.hpp"
#include "repo/entry.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

struct StandbyEntry {
  std::string path;
  EntryType type = EntryType::file;
  // As long as the name has this one, what it has is what was put there. Nothing: that is not known.
  std::optional<FileStamp> stamp;
  std::optional<KnownExtents> extents;  // of a file
  // Of a target that is one file: the file that was replaced, and its content.
  std::optional<FileStamp> spare;
  KnownExtents spare_extents;
  bool operator==(const StandbyEntry&) const = default;
};

// As it is kept: its length (4 bytes, little-endian), and the rest of it, which decode_standby_entry() takes apart
// again; nothing where that is none.
Bytes encode(const StandbyEntry& entry);
std::optional<StandbyEntry> decode_standby_entry(ByteView rest);

// Read entry by entry, so that memory grows with the number of entries by 16 bytes each. One thread.
class StandbyState {
 public:
  // Nothing where there is none, or one that is damaged.
  static std::optional<StandbyState> load(const fs::path& file);

  const Digest& snapshot() const noexcept { return m_snapshot; }
  std::optional<StandbyEntry> find(const std::string& path) const;
  // The entry that has a spare.
  std::optional<StandbyEntry> with_spare() const;

 private:
  explicit StandbyState(UniqueFd fd) : m_fd(std::move(fd)) {}
  bool read_all(std::uint64_t size, const fs::path& file);
  std::optional<StandbyEntry> read(std::uint64_t at) const;

  UniqueFd m_fd;
  Digest m_snapshot;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> m_places;  // hash of the path, where the entry is; ascending
  std::optional<std::uint64_t> m_spare;
};

// Takes the place of the file as a whole, by commit(). Throws Error(failed).
class StandbyStateWriter {
 public:
  StandbyStateWriter(const fs::path& file, const Digest& snapshot);
  void add(const StandbyEntry& entry);
  void commit();

 private:
  void write(ByteView bytes);
  void flush();
  AtomicFile m_file;
  Sha256 m_hash;
  Bytes m_buffer;
};

}  // namespace cairn
