// Which file it is, whatever its name.
#pragma once

#include <compare>

#include <sys/stat.h>
#include <sys/types.h>

namespace cairn {

struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  auto operator<=>(const FileId&) const = default;
};

inline FileId id_of(const struct stat& status) noexcept {
  return {status.st_dev, status.st_ino};
}

}  // namespace cairn
