#include "engine/restore/link_copy.hpp"

#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/interrupt.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

namespace cairn {

namespace {
constexpr std::size_t k_piece = 1 << 20;
}

FileId copy_for_link(int from_directory, const std::string& from_name, int to_directory, const std::string& to_name,
                     const std::string& shown) {
  const UniqueFd from = open_for_capture(from_directory, from_name);
  if (!from) throw_errno("copy", shown, errno);
  UniqueFd to = open_beneath(to_directory, to_name, O_WRONLY | O_CREAT | O_EXCL, 0600);
  struct stat status {};
  if (!to || ::fstat(from.get(), &status) != 0) throw_errno("create", shown, errno);
  Bytes piece(k_piece);
  for (std::uint64_t at = 0;; at += piece.size()) {
    check_interrupted();
    piece.resize(k_piece);
    piece.resize(read_at(from.get(), piece, at, shown));
    if (piece.empty()) break;
    write_at(to.get(), piece, at, shown);
  }
  // Where these cannot be set it was told of the file itself.
  static_cast<void>(::fchown(to.get(), status.st_uid, status.st_gid) == 0 &&
                    ::fchmod(to.get(), status.st_mode & 07777U) == 0);
  const struct timespec times[2] = {{0, UTIME_OMIT}, status.st_mtim};
  static_cast<void>(::futimens(to.get(), times));
  if (::close(to.release()) != 0) throw_errno("close", shown, errno);
  return id_of(status);
}

}  // namespace cairn
