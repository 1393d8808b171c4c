#include "capture/sqlite/reader_process.hpp"

#include "capture/sqlite/reader_main.hpp"
#include "util/file.hpp"
#include "util/interrupt.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/auxv.h>
#include <sys/wait.h>

namespace cairn::sqlite {

namespace {

using namespace std::chrono_literals;

// How long a wait lasts before the interrupt flag is looked at: a signal may have been delivered to another thread.
constexpr auto k_poll = 100ms;
constexpr auto k_start_timeout = 30s;
constexpr auto k_end_timeout = 5s;
constexpr uid_t k_nobody = 65534;
const std::string k_not_started = "unable to start the process that reads databases: ";

// Nothing but a sanitizer has anything to say there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool k_keep_errors = true;
#elif defined(__has_feature)
constexpr bool k_keep_errors = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool k_keep_errors = false;
#endif

// Variables that a loader and sanitizers need: no secret that this process was given in its environment goes to a
// process that belongs to somebody else.
std::vector<char*> environment_of_child() {
  std::vector<char*> kept;
  for (char** item = environ; item != nullptr && *item != nullptr; ++item) {
    const std::string_view text = *item;
    const std::string_view name = text.substr(0, text.find('='));
    if (name.starts_with("LD_") || name.ends_with("SAN_OPTIONS")) kept.push_back(*item);
  }
  kept.push_back(nullptr);
  return kept;
}

// The program that runs, even if its file was replaced; where /proc is not mounted by the name it was started with.
const char* own_program() noexcept {
  if (::access("/proc/self/exe", X_OK) == 0) return "/proc/self/exe";
  // The kernel gives a pointer as a number. NOLINTNEXTLINE(performance-no-int-to-ptr)
  return reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
}

pid_t spawn(int socket, const char* service) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
  if (!k_keep_errors) posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, socket, k_reader_socket);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  // In a session of its own: it belongs to somebody who may want to type on this terminal.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
  std::string name = service;
  std::array<char*, 2> arguments{name.data(), nullptr};
  pid_t pid = -1;
  const char* const program = own_program();
  const int failure = program == nullptr ? ENOENT
                                         : ::posix_spawn(&pid, program, &actions, &attributes, arguments.data(),
                                                         environment_of_child().data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failure != 0) {
    throw ReaderNotStarted(ErrorKind::failed, k_not_started + errno_text(failure));
  }
  return pid;
}

Bytes encode(const Identity& identity) {
  MessageWriter to;
  to.number(identity.uid).number(identity.gid).number(identity.groups.size());
  for (const gid_t group : identity.groups) to.number(group);
  return to.bytes();
}

}  // namespace

ReaderProcess::ReaderProcess(const Identity& identity, const char* service) : m_socket(UniqueFd{}) {
  auto [here, there] = MessageSocket::make_pair();
  m_socket = std::move(here);
  m_pid = spawn(there.fd(), service);
  std::string fault;
  try {
    {
      const MessageSocket gone = std::move(there);  // so that its end is seen
    }
    send(encode(identity));
    fault = MessageReader{receive_message(Clock::now() + k_start_timeout, "").bytes}.text();
  } catch (const ReaderGone& gone) {
    fault = gone.message();
  } catch (...) {
    end();
    throw;
  }
  if (fault.empty()) return;
  end();
  throw ReaderNotStarted(ErrorKind::failed, k_not_started + fault);
}

ReaderProcess::~ReaderProcess() {
  end();
}

void ReaderProcess::send(ByteView message, const std::vector<int>& descriptors, const std::string& shown) {
  if (!m_socket.send(message, descriptors)) fail(shown, "");
}

MessageSocket::Message ReaderProcess::receive_message(Clock::time_point deadline, const std::string& shown) {
  while (!m_socket.wait(std::chrono::duration_cast<std::chrono::milliseconds>(k_poll))) {
    check_interrupted();
    if (Clock::now() > deadline) fail(shown, "did not answer");
  }
  auto message = m_socket.receive();
  if (message) return std::move(*message);
  // A supervisor's signal to all is ours to answer.
  check_interrupted();
  fail(shown, "");
}

ReaderProcess::Answer ReaderProcess::receive(Clock::time_point deadline, const std::string& shown) {
  auto message = receive_message(deadline, shown);
  try {
    return {decode_reply(message.bytes), std::move(message.descriptors)};
  } catch (const Error& error) {
    fail(shown, error.message());
  }
}

void ReaderProcess::fail(const std::string& shown, const std::string& how) {
  const std::string ended = end();
  const std::string& what = how.empty() ? ended : how;
  // While it starts, the caller says what it is.
  throw ReaderGone(ErrorKind::failed,
                   shown.empty()
                       ? "it " + what
                       : fmt::format("unable to read database {}: the process that reads it {}", quote(shown), what));
}

std::string ReaderProcess::end() noexcept {
  if (m_pid <= 0) return "has gone";
  const pid_t pid = std::exchange(m_pid, -1);
  int status = 0;
  // One that died by itself may still be about it.
  pid_t got = ::waitpid(pid, &status, WNOHANG);
  if (got == 0) ::kill(pid, SIGKILL);
  // Without CAP_KILL another user's process cannot be killed, but it ends with its socket.
  m_socket = MessageSocket{UniqueFd{}};
  const auto deadline = Clock::now() + k_end_timeout;
  while (got == 0 || (got < 0 && errno == EINTR)) {
    // Whoever waits for a file system that does not answer cannot be ended by anybody.
    if (Clock::now() > deadline) return "does not end";
    got = ::waitpid(pid, &status, WNOHANG);
    if (got == 0) std::this_thread::sleep_for(1ms);
  }
  if (got < 0) return "has gone";
  if (WIFSIGNALED(status)) {
    const char* const name = ::sigdescr_np(WTERMSIG(status));
    return fmt::format("was ended by signal {} ({})", WTERMSIG(status), name != nullptr ? name : "unknown");
  }
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

std::unique_ptr<ReaderProcess> start_as_nobody(const char* service) {
  if (::geteuid() == 0) {
    try {
      return std::make_unique<ReaderProcess>(Identity{k_nobody, k_nobody, {}}, service);
    } catch (const ReaderNotStarted&) {
      // Root of a container that may not become others, or knows no such user.
    }
  }
  return std::make_unique<ReaderProcess>(own_identity(), service);
}

}  // namespace cairn::sqlite
