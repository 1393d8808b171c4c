#include "capture/sqlite/supported.hpp"

#include "capture/sqlite/connection.hpp"
#include "capture/sqlite/format.hpp"
#include "util/error.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace cairn::sqlite {

// Numbers: statfs(2), linux/magic.h.
const char* remote_file_system(int fd, const std::string& shown) {
  struct statfs status {};
  if (::fstatfs(fd, &status) != 0) throw_errno("examine", shown, errno);
  switch (static_cast<std::uint32_t>(status.f_type)) {
    case 0x00006969:
      return "NFS";
    case 0x0000517b:
    case 0xfe534d42:
    case 0xff534d42:
      return "SMB";
    case 0x65735546:
      return "FUSE";
    case 0x01021997:
      return "9P";
    case 0x00c36400:
      return "Ceph";
    case 0x5346414f:
    case 0x6b414653:
      return "AFS";
    case 0x73757245:
      return "Coda";
    case 0x0bd00bd0:
      return "Lustre";
    case 0x47504653:
      return "GPFS";
    case 0x19830326:
      return "BeeGFS";
    case 0x786f4256:
      return "a VirtualBox shared folder";
    case 0xbacbacbc:
      return "a VMware shared folder";
    default:
      return nullptr;
  }
}

// SQLite takes a log that it cannot read for an empty one.
void require_known_format(LiveDirectory& directory, const std::string& shown) {
  const UniqueFd fd{directory.open(directory.database(), O_RDONLY, 0)};
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) throw_errno("open", shown, errno);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  Bytes last(std::min<std::uint64_t>(size, k_libsql_footer_size));
  last.resize(read_at(fd.get(), last, size - last.size(), shown));
  struct stat ignored {};
  if (directory.status(directory.beside("-wal2"), ignored) || has_libsql_footer(last)) {
    throw SqliteError("open", shown, SQLITE_OK, "a fork of SQLite keeps it, whose log SQLite cannot read");
  }
}

}  // namespace cairn::sqlite
