// Which parts of files are data, the rest being holes: found while a stream is planned, needed while it is written.
#pragma once

#include "util/spool_file.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace cairn {

// Of a file, in bytes.
struct DataRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t end() const noexcept { return offset + length; }
  bool operator==(const DataRange&) const = default;
};

// Where those of one file lie among all.
struct SegmentRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

// Segments of all files, on disk where they are many. One thread. Throws Error(failed) where the spool fails.
class DataSegments {
 public:
  explicit DataSegments(const fs::path& directory) : m_spool(directory) {}

  // Data of the file that is being told of: ascending, without overlaps. What touches the last one is one with it.
  void add(const DataRange& data);
  // It was the last one of its file.
  SegmentRange end_file();

  // Some of them, from the one with that number; at most as many as asked for.
  std::vector<DataRange> read(std::uint64_t first, std::uint64_t count);

 private:
  void write_last();

  SpoolFile m_spool;
  std::optional<DataRange> m_last;  // of the file, not written yet
  std::uint64_t m_count = 0;        // written
  std::uint64_t m_first = 0;        // of the file
};

// The segments of one file, one after the other. all outlives it.
class SegmentCursor {
 public:
  SegmentCursor(DataSegments& all, SegmentRange range) : m_all(all), m_range(range) {}
  // Nothing at the end.
  std::optional<DataRange> next();

 private:
  DataSegments& m_all;
  SegmentRange m_range;  // that are still to be read
  std::vector<DataRange> m_read;
  std::size_t m_given = 0;  // of them
};

// The same widened to whole blocks, but for the end of the file, and merged where they come to touch: GNU tar begins
// each segment of a sparse file at a block, libarchive right after the one before. Both find them so.
class BlockSegmentCursor {
 public:
  BlockSegmentCursor(DataSegments& all, SegmentRange range, std::uint64_t file_size)
      : m_from(all, range), m_size(file_size) {}
  std::optional<DataRange> next();

 private:
  std::optional<DataRange> widened();

  SegmentCursor m_from;
  std::uint64_t m_size;
  std::optional<DataRange> m_ahead;
  bool m_begun = false;
};

}  // namespace cairn
