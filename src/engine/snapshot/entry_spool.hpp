// Where entries wait until the names of this run's packs are known. On disk, so that memory does not grow with the
// number of files.
#pragma once

#include "engine/snapshot/dedup_index.hpp"
#include "util/spool_file.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// An extent in the terms of one run: `source` as in ChunkPlace, or k_hole_source with the bytes in first and count.
struct LocalExtent {
  std::uint32_t source = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};
LocalExtent local_hole(std::uint64_t bytes) noexcept;
std::uint64_t hole_bytes(const LocalExtent& e) noexcept;

struct LocalPart {
  std::uint64_t size = 0;
  std::vector<LocalExtent> extents;
};

// Appends a chunk, merging it into the last run where it follows it.
void append_place(std::vector<LocalExtent>& to, ChunkPlace place);

// First all parts of an entry, then the entry; read back as the entry with its parts. One thread.
//
// A place can be kept for an entry that comes after all others: it is read back where the place is, or not at all.
class EntrySpool {
 public:
  explicit EntrySpool(const fs::path& directory);
  // Keeps the place between the entries before and after. Returns its number.
  std::size_t keep_place();
  // All that is added until the next call belongs there. After the last entry that has no place of its own.
  void go_to_place(std::size_t place);
  // Where every entry has a place of its own: they are read back in this order. order: numbers of all places.
  void arrange(const std::vector<std::size_t>& order);
  void add_part(const LocalPart& part);
  // Forgets the parts since the last entry: its content is read again.
  void drop_parts();
  // head: the entry's text without its extents (write_entry_head()); is_file: it has content, perhaps empty.
  void add_entry(const std::string& head, bool is_file);

  struct Stored {
    std::string head;
    bool is_file = false;
    std::uint64_t parts = 0;
  };
  void rewind();
  // False at the end. The caller takes exactly `parts` parts by next_part() before the next entry.
  bool next_entry(Stored& out);
  void next_part(LocalPart& out);

 private:
  // Where an entry and its parts begin.
  struct Position {
    std::uint64_t entry = 0;
    std::uint64_t parts = 0;
  };
  struct OutOfOrder {
    std::uint64_t after = 0;  // so many entries
    std::optional<Position> entry;
  };
  void read_entry(Position& from, Stored& out);

  Bytes m_record;  // what is written next: kept for its room
  SpoolFile m_entries;
  SpoolFile m_parts;
  std::uint64_t m_pending_parts = 0;
  std::uint64_t m_parts_begin = 0;  // where the next entry's parts begin
  std::uint64_t m_entries_in_order = 0;
  std::vector<OutOfOrder> m_places;
  std::optional<std::size_t> m_place;  // of the next entry
  // Reading: what was read so far, in order and at places, and where each goes on.
  std::uint64_t m_read = 0;
  std::size_t m_places_read = 0;
  Position m_in_order;
  Position m_at_place;
  Position* m_current = &m_in_order;
};

}  // namespace cairn
