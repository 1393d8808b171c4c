// A file for what one run cannot keep in memory: written once from the beginning, read back from anywhere.
#pragma once

#include "util/file.hpp"

#include <cstdint>

namespace cairn {

// Has no name in the file system, and no file at all before a buffer (1 MiB) is full: what is small stays in memory.
// One thread. Throws Error where the directory cannot be written.
class SpoolFile {
 public:
  explicit SpoolFile(fs::path directory);
  void write(ByteView bytes);
  // Bytes written so far, and going back to such a point.
  std::uint64_t size() const noexcept { return m_flushed + m_buffer.size(); }
  void truncate(std::uint64_t size);

  // Exactly that many bytes from there, all of them written before; and the next ones after them.
  void read(std::uint64_t from, ByteSpan out);
  void read(ByteSpan out) { read(m_read_to, out); }

 private:
  void flush();
  void read_ahead(std::uint64_t from);

  fs::path m_directory;
  UniqueFd m_fd;
  std::uint64_t m_flushed = 0;
  Bytes m_buffer;  // what follows it
  std::uint64_t m_read_to = 0;
  Bytes m_ahead;  // of the file, from m_ahead_from: what was read lies near what will be
  std::uint64_t m_ahead_from = 0;
};

}  // namespace cairn
