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

// Bytes of a local file.
struct LocalRange {
  LocalSource& source;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
// The place that bytes go to, and its path for messages.
struct WritePlace {
  int fd = -1;
  std::uint64_t offset = 0;
  const std::string& shown;
};

// The whole file as a copy that shares its blocks (FICLONE). False where the file system cannot.
bool clone_file(int from, int to) noexcept;
// Whether the file system of an open directory can: tried there on two scratch names. False where they cannot be made.
bool can_clone(int directory) noexcept;
// Whether no other descriptor and no memory map of an open file is left (F_SETLEASE); false, too, where the system does
// not tell.
bool nobody_else_has(int fd) noexcept;
// The bytes are taken over by the kernel where it can (copy_file_range(2), which shares blocks on some file systems).
// Throws LocalChanged where the source ends too early or cannot be read, Error(failed), naming the place, where nothing
// can be written.
void copy_range(LocalRange from, WritePlace to);
// The same for few bytes, which are held against their digest on the way. Throws LocalChanged, too, where they are not
// what they were.
void copy_checked(LocalRange from, WritePlace to, const Digest& digest);
// Makes zeros of them, without taking space where the file system can. Throws Error(failed).
void make_hole(int fd, std::uint64_t offset, std::uint64_t length, const std::string& shown);

}  // namespace cairn
