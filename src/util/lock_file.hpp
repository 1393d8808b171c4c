// A lock between processes of one machine: a file that one of them at a time holds, until it lets go or dies.
#pragma once

#include "util/file.hpp"

#include <optional>

#include <sys/types.h>

namespace cairn {

// flock(2) on a file that stays where it is. The kernel releases the lock with the process, however that ends; children
// that run another program do not inherit it. Used by one thread.
class LockFile {
 public:
  // Makes the file (0600) and the directories above it (0700) where they are not there. Throws Error.
  explicit LockFile(fs::path path);

  // False: somebody else holds it. Throws Error where the file system knows no locks.
  bool try_lock();
  // The process that holds it, as it wrote itself down; nothing where it has not (yet). Only for messages.
  std::optional<pid_t> holder() const;

 private:
  fs::path m_path;
  UniqueFd m_fd;
};

}  // namespace cairn
