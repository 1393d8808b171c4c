#include "repo/pack_output.hpp"

#include "util/error.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace cairn {

PackOutput::PackOutput(const std::optional<Spool>& spool, std::size_t memory_reserve) {
  if (spool) {
    m_path = spool->directory / (".tmp-pack-" + random_name());
    m_fd = open_file(*m_path, O_WRONLY | O_CREAT | O_EXCL, spool->mode);
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
