// Opening below a directory without ever following a symbolic link: what a walk reads and what a restore writes stays
// inside its tree, whoever else renames things in it meanwhile.
#pragma once

#include "util/file.hpp"

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// Opens path (components separated by '/', none of them empty, "." or "..", or "." alone) below the open directory.
// A symbolic link in any component fails with ELOOP or ENOTDIR, unless it is the last one and flags has O_PATH.
// O_CLOEXEC and O_NOFOLLOW are added. openat2(2) where the kernel has and allows it, else (and where path is longer
// than PATH_MAX) one openat(2) a component. On failure the result is empty and errno says why. Thread-safe.
UniqueFd open_beneath(int directory, std::string_view path, int flags, unsigned mode = 0) noexcept;

// For reading what may lie there, below the open directory: without following a link, without waiting (a FIFO put in a
// file's place must not hang the reader), and without touching the access time where that is allowed. Empty, and errno
// set, on failure.
UniqueFd open_for_capture(int directory, std::string_view path) noexcept;
// Reads what was opened so: fewer bytes than asked only at the end of the file. Throws SourceError(failed), naming
// `shown`.
std::size_t read_for_capture(int fd, ByteSpan out, std::uint64_t offset, std::string_view shown);

// The names in an open directory but "." and "..", sorted bytewise, each once. Returns 0 or the errno that ended it;
// names then holds what was read till then. Thread-safe for different descriptors.
int read_directory(int directory, std::vector<std::string>& names);

// Runs a call until it does not fail with EINTR.
template <class F>
auto retry_interrupted(F call) noexcept(noexcept(call())) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace cairn
