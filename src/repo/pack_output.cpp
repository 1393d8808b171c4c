#include "repo/pack_output.hpp"

#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

// Where somebody else may rename things beside the spool, another directory may have taken its place.
UniqueFd open_spool(const fs::path& path) {
  UniqueFd fd = open_file(path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno("stat", path.native(), errno);
  const bool anybodys = (status.st_mode & S_ISVTX) != 0;  // /tmp itself, as those who have no spool use it
  if (!anybodys && !is_own(fd.get(), status.st_uid)) {
    throw Error(ErrorKind::failed, fmt::format("unable to create a pack in {}: it belongs to user {}",
                                               quote(path.native()), status.st_uid));
  }
  return fd;
}

}  // namespace

PackOutput::PackOutput(const std::optional<Spool>& spool, std::size_t memory_reserve) {
  if (spool) {
    const std::string name = ".tmp-pack-" + random_name();
    const UniqueFd directory = open_spool(spool->directory);
    m_fd = UniqueFd{::openat(directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, spool->mode)};
    if (!m_fd) throw_errno("create", (spool->directory / name).native(), errno);
    m_path = spool->directory / name;
  } else {
    m_memory.reserve(memory_reserve);
  }
}

PackOutput::~PackOutput() {
  if (m_path) ::unlink(m_path->c_str());
}

void PackOutput::append(ByteView bytes) {
  if (m_path) {
    write_all(m_fd.get(), bytes, *m_path);
  } else {
    cairn::append(m_memory, bytes);
  }
}

PackOutput::Finished PackOutput::finish() {
  Finished out;
  out.memory = std::move(m_memory);
  if (m_path) {
    if (::close(m_fd.release()) != 0) throw_errno("close", m_path->native(), errno);
    out.file = std::move(*m_path);
    m_path.reset();
  }
  return out;
}

}  // namespace cairn
