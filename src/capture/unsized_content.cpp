#include "capture/unsized_content.hpp"

#include "capture/file_kind.hpp"
#include "capture/metadata.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/sysmacros.h>

namespace cairn {

namespace {

// A signal is seen after so long.
constexpr std::chrono::milliseconds k_look_up{100};
constexpr std::chrono::milliseconds k_pause{1};

// Adds what passes between construction and destruction.
class Stopwatch {
 public:
  explicit Stopwatch(std::chrono::nanoseconds& sum) : m_sum(sum) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() { m_sum += std::chrono::steady_clock::now() - m_begin; }

 private:
  std::chrono::nanoseconds& m_sum;
  std::chrono::steady_clock::time_point m_begin = std::chrono::steady_clock::now();
};

bool is_wait(int error_number) noexcept {
  return error_number == EAGAIN || error_number == EWOULDBLOCK;
}

}  // namespace

UnsizedContent::UnsizedContent(UniqueFd fd, std::string shown, std::string_view name, Bytes begin, UnsizedLimits limits)
    : m_fd(std::move(fd)),
      m_shown(std::move(shown)),
      m_begin(std::move(begin)),
      m_rule(chunk_rule_for(name, m_begin, 0)),
      m_limits(limits) {}

void UnsizedContent::wait() {
  if (m_spent >= m_limits.time) {
    throw SourceError(ErrorKind::failed,
                      fmt::format("unable to read {}: it says that it is empty, and does not end within {}",
                                  quote(m_shown), format_duration(m_limits.time)),
                      "if it is not to be captured: --exclude, or --one-file-system");
  }
  check_interrupted();
  struct pollfd ready {
    m_fd.get(), POLLIN, 0
  };
  const Stopwatch measured{m_spent};
  // There are files that are always ready, and have nothing all the same.
  if (::poll(&ready, 1, static_cast<int>(k_look_up.count())) != 0) std::this_thread::sleep_for(k_pause);
}

// One successful read(2).
std::size_t UnsizedContent::read_some(ByteSpan out) {
  for (;;) {
    ssize_t n = 0;
    int error = 0;
    {
      const Stopwatch measured{m_spent};
      n = retry_interrupted([&] { return ::read(m_fd.get(), out.data(), out.size()); });
      error = errno;
    }
    if (n >= 0) return static_cast<std::size_t>(n);
    if (!is_wait(error)) throw_source_errno("read", m_shown, error);
    wait();
  }
}

Content::Piece UnsizedContent::read(ByteSpan out) {
  std::size_t filled = std::min(out.size(), m_begin.size() - m_taken);
  std::copy_n(m_begin.begin() + static_cast<std::ptrdiff_t>(m_taken), filled, out.begin());
  m_taken += filled;
  while (filled < out.size()) {
    const std::size_t n = read_some(out.subspan(filled));
    if (n == 0) break;
    filled += n;
    // A file that always has more to give is as endless as one that keeps its reader waiting.
    if (m_spent >= m_limits.time) wait();
    if (m_bytes + filled > m_limits.bytes) {
      throw SourceError(ErrorKind::failed,
                        fmt::format("unable to read {}: it says that it is empty, and has more than {}", quote(m_shown),
                                    format_size(m_limits.bytes)),
                        "if it is not to be captured: --exclude, or --one-file-system");
    }
  }
  m_bytes += filled;
  if (filled == 0) return {};
  return {Piece::Kind::data, filled};
}

Content::Outcome UnsizedContent::finish() {
  struct stat now {};
  if (::fstat(m_fd.get(), &now) != 0) throw_source_errno("stat", m_shown, errno);
  return now.st_size == 0 ? Outcome::consistent : Outcome::changed;
}

std::unique_ptr<Content> open_unsized(UniqueFd& fd, const std::string& shown, std::string_view name) {
  std::array<std::uint8_t, k_file_head_size> head;
  const ssize_t n = retry_interrupted([&] { return ::read(fd.get(), head.data(), head.size()); });
  if (n == 0) return nullptr;
  if (n < 0 && !is_wait(errno)) throw_source_errno("read", shown, errno);
  Bytes begin(head.begin(), head.begin() + std::max<ssize_t>(n, 0));
  return std::make_unique<UnsizedContent>(std::move(fd), shown, name, std::move(begin));
}

bool may_be_unsized(const struct stat& status) noexcept {
  return S_ISREG(status.st_mode) && status.st_size == 0 && status.st_blocks == 0 && major(status.st_dev) == 0;
}

}  // namespace cairn
