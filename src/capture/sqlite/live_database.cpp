#include "capture/sqlite/live_database.hpp"

#include "capture/sqlite/reader_process.hpp"
#include "capture/sqlite/settled_database.hpp"
#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn::sqlite {

namespace {

using namespace std::chrono_literals;

constexpr auto k_patience_beside = 60s;
constexpr std::uint64_t k_slowest_copy = 4 << 20;  // bytes a second
// After a signal, for taking back what was written, or for the end of the commit.
constexpr auto k_last_moments = 60s;

Identity identity_for(const DatabasePlace& place) {
  try {
    return identity_for_writing(place);
  } catch (const SourceError& e) {
    throw Error(ErrorKind::failed, fmt::format("unable to write database {}: {}", quote(place.shown), e.message()));
  }
}

// One such transaction, seen from this side.
class LiveWrite {
 public:
  LiveWrite(const DatabasePlace& place, std::uint64_t bytes, std::chrono::milliseconds patience,
            const std::function<void(std::uint64_t)>& told)
      : m_place(place),
        m_limit(patience + k_patience_beside + std::chrono::seconds{bytes / k_slowest_copy}),
        m_told(told),
        m_child(std::make_unique<ReaderProcess>(identity_for(place))) {}

  LiveWritten run(const OpenRequest& request, int image) {
    ask(request, image);
    try {
      return receive_all();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::interrupted) throw;
      if (!m_committed) give_up(error);
    }
    // The child copies the log on; or whoever uses the database does.
    m_written.log_copied = m_written.log_bytes == 0;
    return m_written;
  }

 private:
  void ask(const OpenRequest& request, int image) {
    try {
      m_child->send(encode(request), {m_place.directory, image});
    } catch (const ReaderGone& gone) {
      throw Error(ErrorKind::failed, fmt::format("unable to write database {}: of the process that is to do so: {}",
                                                 quote(m_place.shown), gone.message()));
    }
  }

  LiveWritten receive_all() {
    while (true) {
      const auto answer = receive();
      if (const auto* const copied = std::get_if<LogCopied>(&answer)) {
        m_written.log_copied = copied->whole;
        return m_written;
      }
    }
  }

  Reply receive() {
    try {
      auto answer = m_child->receive(ReaderProcess::Clock::now() + m_limit, m_place.shown);
      take(answer.reply);
      return std::move(answer.reply);
    } catch (const ReaderGone& gone) {
      if (m_committed) return LogCopied{false};
      throw Error(ErrorKind::failed,
                  fmt::format("{}; the database is what was committed before, or what is restored", gone.message()));
    }
  }

  void take(const Reply& reply) {
    if (const auto* const progress = std::get_if<CheckProgress>(&reply)) {
      m_told(progress->bytes);
      // One message follows the other, and nobody looks while there is one.
      check_interrupted();
    } else if (const auto* const committed = std::get_if<Committed>(&reply)) {
      m_committed = true;
      m_written.blocked = committed->blocked;
      m_written.log_bytes = committed->log_bytes;
    } else if (const auto* const failed = std::get_if<Failed>(&reply)) {
      const bool known = failed->kind == ErrorKind::busy || failed->kind == ErrorKind::usage;
      const bool full = failed->cause == Failed::Cause::no_space;
      throw Error(known ? failed->kind : ErrorKind::failed, failed->message,
                  full ? "all pages go through its log or its journal: free space there" : failed->hint);
    } else if (!std::holds_alternative<LogCopied>(reply)) {
      throw ReaderGone(ErrorKind::failed, "the process that writes it talks nonsense");
    }
  }

  // The child takes back what it has written; so nobody else has to. If it has committed by then, that is that.
  void give_up(const Error& interruption) {
    const InterruptPause pause{k_last_moments};
    m_limit = k_last_moments;
    try {
      m_child->send(MessageWriter{}.number(0).bytes());
      while (!m_committed) receive();
    } catch (const Error&) {
      throw Error(interruption);
    }
  }

  const DatabasePlace& m_place;
  std::chrono::milliseconds m_limit;
  const std::function<void(std::uint64_t)>& m_told;
  std::unique_ptr<ReaderProcess> m_child;
  LiveWritten m_written;
  bool m_committed = false;
};

}  // namespace

LiveWritten write_live_database(const DatabasePlace& place, int image, std::chrono::milliseconds patience,
                                const std::function<void(std::uint64_t bytes)>& told) {
  struct stat status {};
  if (::fstat(image, &status) != 0) throw_errno("stat", place.shown, errno);
  OpenRequest request;
  request.name = place.name;
  request.file = place.file;
  request.shown = place.shown;
  request.patience = patience;
  request.write_live = true;
  return LiveWrite{place, static_cast<std::uint64_t>(status.st_size), patience, told}.run(request, image);
}

}  // namespace cairn::sqlite
