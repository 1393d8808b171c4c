#include "capture/source_path.hpp"

#include "util/error.hpp"
#include "util/pinned_path.hpp"

#include <cerrno>
#include <fcntl.h>

#include <fmt/format.h>

namespace cairn {

namespace {

[[noreturn]] void fail(const fs::path& path, int error_number) {
  throw SourceError(ErrorKind::failed,
                    fmt::format("unable to open {}: {}", quote(path.native()), errno_text(error_number)));
}

PinnedPath pin(const fs::path& path) {
  if (path.empty()) fail(path, ENOENT);
  try {
    return pin_path(path);
  } catch (const SystemError& error) {
    fail(path, error.number());
  } catch (const Error& error) {
    throw SourceError(error.kind(), error.message(), error.hint());
  }
}

}  // namespace

SourcePath find_source(const fs::path& path) {
  PinnedPath pinned = pin(path);
  const bool directory = pinned.names.empty();
  if (!directory && (pinned.leads_to_nothing || pinned.names.size() > 1 || pinned.there == 0)) fail(path, ENOENT);
  // "file/" is none.
  if (!directory && !path.has_filename()) fail(path, ENOTDIR);
  SourcePath found;
  found.directory = std::move(pinned.directory);
  found.name = directory ? "." : pinned.names.front();
  found.real = std::move(pinned.path);
  if (::fstatat(found.directory.get(), found.name.c_str(), &found.status, AT_SYMLINK_NOFOLLOW) != 0) fail(path, errno);
  return found;
}

}  // namespace cairn
