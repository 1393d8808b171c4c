#include "util/beneath.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <unistd.h>

#include <climits>
#include <fmt/format.h>
#include <sys/syscall.h>

namespace cairn {

namespace {

constexpr std::size_t k_name_max = 255;

// One component; name need not end in a NUL.
int open_component(int directory, std::string_view name, int flags, unsigned mode) noexcept {
  if (name.size() > k_name_max) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::array<char, k_name_max + 1> text;
  std::memcpy(text.data(), name.data(), name.size());
  text[name.size()] = '\0';
  return retry_interrupted([&] { return ::openat(directory, text.data(), flags, mode); });
}

UniqueFd open_by_components(int directory, std::string_view path, int flags, unsigned mode) noexcept {
  UniqueFd current;
  for (;;) {
    const std::size_t slash = path.find('/');
    const int base = current ? current.get() : directory;
    if (slash == std::string_view::npos) return UniqueFd{open_component(base, path, flags, mode)};
    UniqueFd next{open_component(base, path.substr(0, slash), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)};
    if (!next) return {};
    const int saved = errno;
    current = std::move(next);
    errno = saved;
    path.remove_prefix(slash + 1);
  }
}

// EPERM is what older container sandboxes answer to system calls they do not know.
bool lacks_openat2(int error) noexcept {
  return error == ENOSYS || error == EPERM || error == EINVAL || error == E2BIG;
}

}  // namespace

UniqueFd open_beneath(int directory, std::string_view path, int flags, unsigned mode) noexcept {
  flags |= O_CLOEXEC | O_NOFOLLOW;
  // A path of one component needs no help: O_NOFOLLOW says it all.
  if (path.find('/') == std::string_view::npos) return UniqueFd{open_component(directory, path, flags, mode)};

  static std::atomic<bool> usable{true};
  if (usable.load(std::memory_order_relaxed) && path.size() < PATH_MAX) {
    std::array<char, PATH_MAX> text;
    std::memcpy(text.data(), path.data(), path.size());
    text[path.size()] = '\0';
    struct open_how how {};
    how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags));
    how.mode = (flags & O_CREAT) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    const long fd = retry_interrupted([&] { return ::syscall(SYS_openat2, directory, text.data(), &how, sizeof how); });
    if (fd >= 0) return UniqueFd{static_cast<int>(fd)};
    // EPERM may also be the honest answer (O_NOATIME on somebody else's file): the walk by components tells.
    if (!lacks_openat2(errno) && errno != EAGAIN) return {};
    if (errno == ENOSYS) usable.store(false, std::memory_order_relaxed);
  }
  return open_by_components(directory, path, flags, mode);
}

UniqueFd open_for_capture(int directory, std::string_view path) noexcept {
  constexpr int k_flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
  UniqueFd fd = open_beneath(directory, path, k_flags | O_NOATIME);
  if (!fd && errno == EPERM) fd = open_beneath(directory, path, k_flags);
  return fd;
}

std::size_t read_for_capture(int fd, ByteSpan out, std::uint64_t offset, std::string_view shown) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = retry_interrupted(
        [&] { return ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done)); });
    if (n < 0) {
      throw SourceError(ErrorKind::failed, fmt::format("unable to read {}: {}", quote(shown), errno_text(errno)));
    }
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

int read_directory(int directory, std::vector<std::string>& names) {
  // A duplicate, because closedir() closes what fdopendir() was given; it shares its position with the original, which
  // somebody may have left at the end.
  UniqueFd own{::fcntl(directory, F_DUPFD_CLOEXEC, 0)};
  if (!own) return errno;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream{::fdopendir(own.get()), ::closedir};
  if (!stream) return errno;
  own.release();
  ::rewinddir(stream.get());
  int error = 0;
  for (;;) {
    errno = 0;
    const dirent* item = ::readdir(stream.get());
    if (item == nullptr) {
      error = errno;
      break;
    }
    const std::string_view name = item->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  // A directory that changes while it is read may give a name twice (readdir(3)).
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return error;
}

}  // namespace cairn
