// Pieces of a file that come in the order of their packs, brought into that of the file.
#pragma once

#include "engine/restore/data_segments.hpp"
#include "util/bytes.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

namespace cairn {

// Content that comes before its turn waits in a file without a name: as much as a stripe of the plan at most, no file
// at all where everything comes in order. One thread.
class InOrder {
 public:
  using Emit = std::function<void(std::uint64_t offset, ByteView)>;

  // directory: where the file is made. data: what will come in all, and what emit is called with, ascending.
  InOrder(fs::path directory, SegmentCursor data, Emit emit);

  // Error(damaged) where it is no part of the data or came before; Error(failed) where there is no room to wait.
  void push(std::uint64_t offset, ByteView bytes);
  // Error(damaged) where something has not come.
  void finish() const;

 private:
  void emit(ByteView bytes);
  void hold(std::uint64_t offset, ByteView bytes);
  void emit_held();
  void next_segment();

  fs::path m_directory;
  SegmentCursor m_data;
  Emit m_emit;
  std::optional<DataRange> m_segment;  // that is being emitted; nothing: all is done
  std::uint64_t m_at = 0;              // in the file: what comes next
  UniqueFd m_file;
  std::uint64_t m_file_begin = 0;                 // which byte of the content its first one is
  std::map<std::uint64_t, std::uint64_t> m_held;  // begin and end of what waits
};

}  // namespace cairn
