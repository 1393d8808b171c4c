// Which files this process has open through SQLite. SQLite's locks are POSIX locks: closing any descriptor of such a
// file, in whatever thread, drops every lock the process holds on it, and with the lock on -shm gone a writer may
// restart the log under the capture. So whoever opens a file that might be a database asks here first.
#pragma once

#include "util/file.hpp"

#include <chrono>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace cairn::sqlite {

// Device and inode.
using FileId = std::pair<dev_t, ino_t>;

// True while the file is a database, -wal or -shm that a capture in this process has open: do not open it.
// Thread-safe.
bool is_under_capture(dev_t device, ino_t inode);

// One database held for one user in this process, its -wal and -shm besides. Thread-safe.
class CaptureSlot {
 public:
  // Waits for another holder until the deadline; then throws SourceError(busy) naming the path.
  CaptureSlot(FileId database, const fs::path& path, std::chrono::steady_clock::time_point deadline);
  CaptureSlot(const CaptureSlot&) = delete;
  CaptureSlot& operator=(const CaptureSlot&) = delete;
  ~CaptureSlot();

  // Marks the -wal and -shm beside the database as under capture, as far as they exist by now.
  void add_companions(const fs::path& database);

 private:
  std::vector<FileId> m_files;
};

}  // namespace cairn::sqlite
