// Where in a local file chunks lie that were moved: it is cut as a snapshot of it would be.
#pragma once

#include "capture/source.hpp"
#include "codec/digest.hpp"
#include "util/file.hpp"
#include "util/thread_pool.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace cairn {

// Immutable once it is built.
class CutIndex {
 public:
  // So many chunks of one file are known, about 16 GiB of it; what follows them is not looked at. 48 bytes each.
  static constexpr std::size_t k_max_chunks = 512 * 1024;

  // Reads the whole file, and has its segments cut in the pool. fd: open for reading, of a regular file; status: of it.
  // A file that cannot be read gives what came before the failure. Not to be called by a job of the pool. Throws
  // Error(interrupted).
  static CutIndex build(ThreadPool& pool, int fd, const struct stat& status, const std::string& shown, ChunkRule rule,
                        std::size_t max_chunks = k_max_chunks);

  // The offset of a chunk of that digest and length.
  std::optional<std::uint64_t> find(const Digest& digest, std::uint32_t length) const;
  std::size_t size() const noexcept { return m_chunks.size(); }

 private:
  struct Chunk {
    Digest digest;
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
  };
  std::vector<Chunk> m_chunks;  // by digest
};

}  // namespace cairn
