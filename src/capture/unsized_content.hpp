// Files whose size says nothing: those of /proc, of cgroups and of some FUSE file systems say 0, whatever they hold.
#pragma once

#include "capture/source.hpp"
#include "util/file.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <sys/stat.h>

namespace cairn {

// The most that is read of one file, and the time it is waited for in all. Some never end (/proc/kmsg, trace_pipe), and
// give to one reader what no other gets then.
struct UnsizedLimits {
  std::uint64_t bytes = 64ULL << 20;
  std::chrono::milliseconds time = std::chrono::seconds{5};
};

// A descriptor that is read to its end, forwards only. Wants O_NONBLOCK, and waits with poll(2) for what is not there
// yet.
class UnsizedContent : public Content {
 public:
  // begin: what was read already.
  UnsizedContent(UniqueFd fd, std::string shown, std::string_view name, Bytes begin, UnsizedLimits limits = {});

  ChunkRule rule() const override { return m_rule; }
  std::uint64_t expected_size() const override { return 0; }
  // Throws SourceError, too, where a limit is reached before the end: half of it is not to be taken for all of it.
  // Error(interrupted) at a signal.
  Piece read(ByteSpan out) override;
  // Changed: it has a size by now, so that it is a file like any.
  Outcome finish() override;

 private:
  std::size_t read_some(ByteSpan out);
  void wait();

  UniqueFd m_fd;
  std::string m_shown;
  Bytes m_begin;
  std::size_t m_taken = 0;  // of m_begin
  ChunkRule m_rule;
  UnsizedLimits m_limits;
  std::uint64_t m_bytes = 0;
  std::chrono::nanoseconds m_spent{0};  // on reading and waiting here, and not on what is done with the bytes
};

// The content of a regular file that says size 0; nothing, and fd is left alone, where it is empty indeed, which takes
// one read(2).
std::unique_ptr<Content> open_unsized(UniqueFd& fd, const std::string& shown, std::string_view name);

// Whether a file that says size 0 may hold something by what is known without opening it: it has no block, and is on a
// file system without a device of its own.
bool may_be_unsized(const struct stat& status) noexcept;

}  // namespace cairn
