// Ranges of a file for somebody who asks for them one after the other, a page or a few at a time, and waits for each.
#pragma once

#include "repo/file_reader.hpp"
#include "util/bytes.hpp"

#include <array>
#include <cstdint>

namespace cairn {

// Whoever asks here and there gets what he asks for, so that little is fetched. Whoever goes on where he was gets more
// and more at a time, and what comes next is fetched ahead, in few large requests, while he works. Several such scans
// may go on side by side, as a table's and those of its indexes. One thread.
class PageFeed {
 public:
  // ahead: bytes of content that are fetched ahead of a scan at most; never much more than it has read by then.
  PageFeed(FileReader& file, std::uint64_t ahead) : m_file(file), m_ahead(ahead) {}

  // From offset on: `length` bytes at least, `most` at most, but for the end of the file. What FileReader throws.
  Bytes read(std::uint64_t offset, std::uint64_t length, std::uint64_t most);

 private:
  static constexpr std::size_t k_scans = 4;
  struct Scan {
    std::uint64_t next = UINT64_MAX;  // where it goes on
    std::uint64_t window = 0;         // bytes that it got the last time
    std::uint64_t read = 0;           // bytes that it got in all
    std::uint64_t expected = 0;       // all before it is on its way
    std::uint64_t used = 0;
  };
  Scan& scan_at(std::uint64_t offset);

  FileReader& m_file;
  std::uint64_t m_ahead;
  std::array<Scan, k_scans> m_scans;
  std::uint64_t m_uses = 0;
};

}  // namespace cairn
