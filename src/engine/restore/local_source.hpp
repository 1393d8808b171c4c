// A local file while content is taken from it.
#pragma once

#include "codec/digest.hpp"
#include "engine/restore/local_files.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <mutex>
#include <string>

namespace cairn {

// It is opened when the first range of it is wanted, and is held against its stamp before and after each use: a range
// of a file that was written meanwhile is never taken for what was hashed. Any thread. All calls may throw
// LocalChanged.
class LocalSource {
 public:
  explicit LocalSource(LocalFile file) : m_file(std::move(file)) {}

  // Open for reading; never through a symbolic link.
  int fd();
  // It is what it was when the restore was planned.
  void check();
  const LocalFile& file() const noexcept { return m_file; }

 private:
  LocalFile m_file;
  std::mutex m_mutex;
  UniqueFd m_fd;
};

// The whole file as a copy that shares its blocks (FICLONE). False where the file system cannot.
bool clone_file(int from, int to) noexcept;
// The bytes are taken over by the kernel where it can (copy_file_range(2), which shares blocks on some file systems).
// Throws LocalChanged where the source ends too early or cannot be read, Error(failed), naming `shown`, where nothing
// can be written.
void copy_range(LocalSource& from, std::uint64_t from_offset, int to, std::uint64_t offset, std::uint64_t length,
                const std::string& shown);
// The same for few bytes, which are held against their digest on the way. Throws LocalChanged, too, where they are not
// what they were.
void copy_checked(LocalSource& from, std::uint64_t from_offset, int to, std::uint64_t offset, std::uint64_t length,
                  const Digest& digest, const std::string& shown);
// Makes zeros of them, without taking space where the file system can. Throws Error(failed).
void make_hole(int fd, std::uint64_t offset, std::uint64_t length, const std::string& shown);

}  // namespace cairn
