#include "capture/sqlite/reader_main.hpp"

#include "capture/sqlite/confinement.hpp"
#include "capture/sqlite/held_database.hpp"
#include "capture/sqlite/identity.hpp"
#include "capture/sqlite/image_check.hpp"
#include "capture/sqlite/live_write.hpp"
#include "capture/sqlite/query_child.hpp"
#include "capture/sqlite/settle.hpp"
#include "util/message_socket.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <linux/close_range.h>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

namespace cairn::sqlite {

namespace {

constexpr rlim_t k_address_space = rlim_t{2} << 30;
// A query may be given more; the memory that SQLite itself takes is bounded below that.
constexpr rlim_t k_query_address_space = rlim_t{4} << 30;
constexpr rlim_t k_descriptors = 64;
constexpr std::chrono::seconds k_last_moments{60};

// Sanitizers reserve terabytes.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool k_bounded_address_space = false;
#elif !defined(__has_feature)
constexpr bool k_bounded_address_space = true;
#elif __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool k_bounded_address_space = false;
#else
constexpr bool k_bounded_address_space = true;
#endif

void limit(__rlimit_resource resource, rlim_t value) noexcept {
  const struct rlimit both { value, value };
  ::setrlimit(resource, &both);
}

// Signals that the terminal or a supervisor sends to all are the parent's to answer; a write that goes too far is an
// error and no death.
void ignore_signals() noexcept {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2}) {
    ::signal(number, SIG_IGN);
  }
}

// A transaction of ours is under way: who ends in the middle of it leaves others to take it back.
std::atomic<bool> writing{false};
std::atomic<bool> parent_gone{false};

// Ends this process with its parent, whatever it is about, but for a transaction: that is taken back first, or done.
void end_with_parent() {
  std::thread{[] {
    struct pollfd socket {
      k_reader_socket, 0, 0
    };
    while (::poll(&socket, 1, -1) < 0 || (socket.revents & (POLLHUP | POLLERR)) == 0) continue;
    parent_gone = true;
    if (writing) std::this_thread::sleep_for(k_last_moments);
    ::_exit(0);
  }}.detach();
}

Failed::Cause cause_of(const SqliteError& error) noexcept {
  if (error.is_of_content()) return Failed::Cause::content;
  return error.is_for_want_of_space() ? Failed::Cause::no_space : Failed::Cause::other;
}

class ReaderService {
 public:
  explicit ReaderService(MessageSocket& parent) : m_parent(parent) {}
  void serve(MessageSocket::Message message);

 private:
  void send(const Reply& reply, const std::vector<int>& descriptors = {});
  int make_temporary_file();
  void check(const OpenRequest& request, std::vector<UniqueFd>& given);
  HeldDatabase hold(const OpenRequest& request, std::vector<UniqueFd>& given, Patience& patience);
  [[noreturn]] void settle(const OpenRequest& request, UniqueFd directory, Patience& patience);
  [[noreturn]] void write_live(const OpenRequest& request, std::vector<UniqueFd>& given);
  void answer_failure(const Error& error, Failed::Cause cause, const Patience& patience);

  MessageSocket& m_parent;
  std::uint64_t m_expected = 0;  // bytes of a copy
  std::unique_ptr<LiveDirectory> m_live;
  std::unique_ptr<CopyDirectory> m_copies;
};

void ReaderService::send(const Reply& reply, const std::vector<int>& descriptors) {
  if (!m_parent.send(encode(reply), descriptors)) ::_exit(0);
}

int ReaderService::make_temporary_file() {
  send(TemporaryWanted{std::exchange(m_expected, 0)});
  auto answer = m_parent.receive();
  if (!answer) ::_exit(0);
  if (!answer->descriptors.empty()) return answer->descriptors.front().release();
  throw SourceError(ErrorKind::failed, MessageReader{answer->bytes}.text());
}

HeldDatabase ReaderService::hold(const OpenRequest& request, std::vector<UniqueFd>& given, Patience& patience) {
  if (given.empty()) throw Error(ErrorKind::failed, "unable to read a database: no descriptor came with the request");
  // SQLite's system calls cannot throw: what there is to say waits until they are over.
  std::exception_ptr refused;
  m_copies = std::make_unique<CopyDirectory>([&] {
    try {
      return make_temporary_file();
    } catch (const SourceError&) {
      refused = std::current_exception();
      errno = ENOSPC;
      return -1;
    }
  });
  const CopyTarget copies{*m_copies, [&](std::uint64_t bytes) { m_expected = bytes; }};
  try {
    if (request.reach == OpenRequest::Reach::by_name) {
      m_live = std::make_unique<LiveDirectory>(std::move(given.front()), request.name, request.file);
      give_directories_to_sqlite(m_live.get(), m_copies.get());
      return hold_database(*m_live, request, copies, patience);
    }
    give_directories_to_sqlite(nullptr, m_copies.get());
    std::size_t next = 1;
    const auto take = [&](bool there) { return there && next < given.size() ? given[next++].get() : -1; };
    const int log = take(request.has_wal);
    const int journal = take(request.has_journal);
    return copy_database(given.front().get(), log, journal, request, copies, patience);
  } catch (const Error&) {
    if (refused) std::rethrow_exception(refused);
    throw;
  }
}

void ReaderService::settle(const OpenRequest& request, UniqueFd directory, Patience& patience) {
  m_live = std::make_unique<LiveDirectory>(std::move(directory), request.name, request.file);
  give_directories_to_sqlite(m_live.get(), nullptr);
  [[maybe_unused]] const auto connection = settle_database(*m_live, request, patience);
  send(Settled{});
  // Until the parent is done with it, or has gone.
  m_parent.receive();
  ::_exit(0);
}

void ReaderService::write_live(const OpenRequest& request, std::vector<UniqueFd>& given) {
  if (given.size() != 2) throw Error(ErrorKind::failed, "unable to write a database: descriptors are missing");
  const auto given_up = [this] { return parent_gone || m_parent.wait(std::chrono::milliseconds{0}); };
  Patience patience{request.patience, given_up};
  // Called in the middle of it all, which cannot be thrown through.
  const auto tell = [this](const Reply& reply) {
    try {
      m_parent.send(encode(reply));
    } catch (const std::exception&) {
      parent_gone = true;
    }
  };
  m_live = std::make_unique<LiveDirectory>(std::move(given.front()), request.name, request.file);
  writing = true;
  try {
    // A parent that stands still must not keep the users of the database out: it is told later.
    std::uint64_t untold = 0;
    const auto tell_progress = [&](std::uint64_t bytes) {
      untold += bytes;
      struct pollfd out {
        k_reader_socket, POLLOUT, 0
      };
      if (::poll(&out, 1, 0) > 0) tell(CheckProgress{std::exchange(untold, 0)});
    };
    const LiveWriteSteps steps{tell_progress, given_up, [&](const Committed& committed) {
                                 if (untold != 0) tell(CheckProgress{untold});
                                 tell(committed);
                               }};
    tell(sqlite::write_live(*m_live, std::move(given.back()), request, patience, steps));
  } catch (const SqliteError& error) {
    answer_failure(error, cause_of(error), patience);
  } catch (const Error& error) {
    answer_failure(error, Failed::Cause::other, patience);
  }
  ::_exit(0);
}

void ReaderService::check(const OpenRequest& request, std::vector<UniqueFd>& given) {
  if (given.empty()) throw Error(ErrorKind::failed, "unable to check a database: no descriptor came with the request");
  // Called by SQLite, which cannot be thrown through.
  const auto tell = [this](std::uint64_t bytes) {
    try {
      send(CheckProgress{bytes});
    } catch (const std::exception&) {
      ::_exit(0);
    }
  };
  if (!request.thorough) return send(check_image(std::move(given.front()), request.shown, tell));
  send(examine_image(std::move(given.front()), request.shown, tell, [this](const CheckedItem& item) { send(item); }));
}

void ReaderService::answer_failure(const Error& error, Failed::Cause cause, const Patience& patience) {
  send(Failed{cause, error.kind(), error.message(), error.hint(), patience.waited()});
}

void ReaderService::serve(MessageSocket::Message message) {
  const OpenRequest request = decode_request(message.bytes);
  Patience patience{request.patience};
  HeldDatabase held;
  try {
    if (request.settle && !message.descriptors.empty()) {
      settle(request, std::move(message.descriptors.front()), patience);
    }
    if (request.write_live) write_live(request, message.descriptors);
    if (request.reach == OpenRequest::Reach::check) return check(request, message.descriptors);
    held = hold(request, message.descriptors, patience);
    held.opened.waited = patience.waited();
    send(held.opened, held.descriptors);
    if (held.hold) {
      if (!m_parent.receive()) ::_exit(0);
      send(held.hold->release());
    }
  } catch (const UnreachableError& error) {
    answer_failure(error, Failed::Cause::unreachable, patience);
  } catch (const SqliteError& error) {
    answer_failure(error, cause_of(error), patience);
  } catch (const Error& error) {
    answer_failure(error, Failed::Cause::other, patience);
  }
  held = {};
  give_directories_to_sqlite(nullptr, nullptr);
  m_live.reset();
  m_copies.reset();
}

Identity decode_identity(ByteView bytes) {
  MessageReader from{bytes};
  Identity identity;
  identity.uid = static_cast<uid_t>(from.number(UINT32_MAX));
  identity.gid = static_cast<gid_t>(from.number(UINT32_MAX));
  for (std::uint64_t count = from.number(65536); count > 0; --count) {
    identity.groups.push_back(static_cast<gid_t>(from.number(UINT32_MAX)));
  }
  return identity;
}

enum class Service { databases, query };

int serve_parent(Service which) {
  MessageSocket parent{UniqueFd{k_reader_socket}};
  const auto first = parent.receive();
  if (!first) return 0;
  const std::string fault = become(decode_identity(first->bytes));
  // Before a thread is started: it would keep what was given up.
  if (!parent.send(MessageWriter{}.text(fault).bytes()) || !fault.empty()) return 0;
  end_with_parent();
  limit(RLIMIT_NPROC, 0);
  if (which == Service::query) {
    confine();
    serve_query(parent);
    return 0;
  }
  use_bounded_memory();
  ReaderService service{parent};
  while (auto message = parent.receive()) service.serve(std::move(*message));
  return 0;
}

bool is_socket(int fd) noexcept {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

int run_as_reader(int argc, const char* const* argv) {
  if (argc != 1) return -1;
  const bool query = std::strcmp(argv[0], k_query_name) == 0;
  if (!query && std::strcmp(argv[0], k_reader_name) != 0) return -1;
  if (!is_socket(k_reader_socket)) return 2;
  ignore_signals();
  static_cast<void>(::syscall(SYS_close_range, k_reader_socket + 1, ~0U, 0));
  if (::chdir("/") != 0) return 1;
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NOFILE, k_descriptors);
  if (k_bounded_address_space) limit(RLIMIT_AS, query ? k_query_address_space : k_address_space);
  try {
    return serve_parent(query ? Service::query : Service::databases);
  } catch (const std::exception&) {
    return 1;
  }
}

}  // namespace cairn::sqlite
