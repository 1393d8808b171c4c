#include "util/process.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"
#include "util/service_manager.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <new>
#include <poll.h>
#include <spawn.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

namespace cairn {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t k_tail_limit = 4096;
constexpr std::size_t k_longest_line = 4096;
// How long a wait lasts before the interrupt flag is looked at: a signal may have been delivered to another thread.
constexpr int k_poll_ms = 100;
constexpr auto k_end_grace = 2s;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) throw_errno("create", "pipe", errno);
  return {UniqueFd{fds[0]}, UniqueFd{fds[1]}};
}

class SpawnActions {
 public:
  SpawnActions() { posix_spawn_file_actions_init(&m_actions); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() { posix_spawn_file_actions_destroy(&m_actions); }
  // dup2 in the child also clears close-on-exec, even where both numbers are the same (POSIX.1-2017 as glibc has it).
  void connect(int from, int to) { posix_spawn_file_actions_adddup2(&m_actions, from, to); }
  void change_directory(const fs::path& directory) {
    if (::posix_spawn_file_actions_addchdir_np(&m_actions, directory.c_str()) != 0) throw std::bad_alloc{};
  }
  const posix_spawn_file_actions_t* get() const noexcept { return &m_actions; }

 private:
  posix_spawn_file_actions_t m_actions{};
};

class SpawnAttributes {
 public:
  explicit SpawnAttributes(pid_t group) {
    posix_spawnattr_init(&m_attributes);
    posix_spawnattr_setpgroup(&m_attributes, group);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&m_attributes, &none);
    // This program ignores SIGPIPE; a producer that inherits that would write on after its reader went away.
    sigset_t defaults;
    sigemptyset(&defaults);
    for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) sigaddset(&defaults, number);
    posix_spawnattr_setsigdefault(&m_attributes, &defaults);
    posix_spawnattr_setflags(&m_attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  ~SpawnAttributes() { posix_spawnattr_destroy(&m_attributes); }
  const posix_spawnattr_t* get() const noexcept { return &m_attributes; }

 private:
  posix_spawnattr_t m_attributes{};
};

std::vector<std::string> make_environment(const ProcessOptions& options) {
  std::vector<std::string> result;
  for (char** item = environ; item != nullptr && *item != nullptr; ++item) {
    const std::string_view text = *item;
    const std::string_view name = text.substr(0, text.find('='));
    const bool wanted = std::find(options.secrets.begin(), options.secrets.end(), name) != options.secrets.end();
    if (is_secret_variable(name) && !wanted) continue;
    const bool replaced = std::any_of(options.environment.begin(), options.environment.end(), [&](const auto& added) {
      return text.size() > added.first.size() && text.starts_with(added.first) && text[added.first.size()] == '=';
    });
    if (!replaced) result.emplace_back(text);
  }
  for (const auto& [name, value] : options.environment) result.push_back(fmt::format("{}={}", name, value));
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

pid_t spawn(std::vector<std::string> argv, const ProcessOptions& options, pid_t group, int in, int out, int error) {
  SpawnActions actions;
  actions.connect(in, STDIN_FILENO);
  actions.connect(out, STDOUT_FILENO);
  if (error >= 0) actions.connect(error, STDERR_FILENO);
  if (options.directory) actions.change_directory(*options.directory);
  const SpawnAttributes attributes{group};
  std::vector<std::string> environment = make_environment(options);
  pid_t pid = -1;
  const int failure = ::posix_spawnp(&pid, argv.front().c_str(), actions.get(), attributes.get(), pointers(argv).data(),
                                     pointers(environment).data());
  if (failure != 0) throw_errno("start", argv.front(), failure);
  return pid;
}

// Waits for events on up to two descriptors (negative ones are ignored); a signal ends the wait early.
void wait_for(std::array<pollfd, 2>& fds, int timeout_ms) {
  if (::poll(fds.data(), fds.size(), timeout_ms) < 0) {
    if (errno != EINTR) throw_errno("wait for", "pipe", errno);
    for (pollfd& item : fds) item.revents = 0;
  }
}

// Bytes that wait in a pipe to be read.
std::size_t bytes_in(const UniqueFd& pipe) {
  int count = 0;
  if (!pipe || ::ioctl(pipe.get(), FIONREAD, &count) != 0) return 0;
  return static_cast<std::size_t>(count);
}

// Cuts what is read into lines.
class LineCutter {
 public:
  explicit LineCutter(const LineSink& sink) : m_sink(sink) {}
  void add(std::string_view text) {
    for (const char c : text) {
      if (c != '\n') m_line += c;
      if (c == '\n' || m_line.size() == k_longest_line) pass_on();
    }
  }
  // The last line may have no end.
  void finish() {
    if (!m_line.empty()) pass_on();
  }

 private:
  void pass_on() {
    if (m_line.ends_with('\r')) m_line.pop_back();
    m_sink(m_line);
    m_line.clear();
  }

  const LineSink& m_sink;
  std::string m_line;
};

}  // namespace

bool is_secret_variable(std::string_view name) noexcept {
  return name == "AWS_SECRET_ACCESS_KEY" || name == "AWS_SESSION_TOKEN" || name == "CAIRN_SIGNING_KEY" ||
         name == "CAIRN_PING_URL" || name == "CAIRN_WEBHOOK_URL" || name.starts_with("CAIRN_IDENTITY");
}

std::string ProcessExit::text() const {
  if (timed_out) return "took too long and was ended";
  if (asked_terminal) return "wants the terminal";
  if (lost) return "ended, but the system did not say with which status";
  if (signal == 0) return fmt::format("exited with status {}", code);
  const char* const name = ::sigdescr_np(signal);
  return fmt::format("was killed by signal {} ({})", signal, name != nullptr ? name : "unknown");
}

Pipeline::Pipeline(const std::vector<std::vector<std::string>>& stages, const ProcessOptions& options)
    : m_on_signal(options.on_signal), m_error_sink(options.errors) {
  if (stages.empty() || std::any_of(stages.begin(), stages.end(), [](const auto& argv) { return argv.empty(); })) {
    throw Error(ErrorKind::usage, "unable to start a program: the command is empty");
  }
  UniqueFd input = open_file("/dev/null", O_RDONLY);
  const bool inherits = options.standard_input == ProcessOptions::StandardInput::inherit && ::isatty(STDIN_FILENO) == 0;
  Pipe errors;
  if (options.standard_error == ProcessOptions::StandardError::tail) errors = make_pipe();
  const bool with_output = options.standard_error == ProcessOptions::StandardError::with_output;
  try {
    for (const auto& argv : stages) {
      Pipe output = make_pipe();
      int in = input.get();
      if (m_stages.empty() && inherits) in = STDIN_FILENO;
      if (m_stages.empty() && options.input >= 0) in = options.input;
      const int out = output.write_end.get();
      const pid_t pid = spawn(argv, options, m_group, in, out, with_output ? out : errors.write_end.get());
      if (m_group == 0) m_group = pid;
      m_stages.push_back({argv.front(), pid});
      input = std::move(output.read_end);
    }
  } catch (...) {
    end();
    throw;
  }
  m_output = std::move(input);
  m_errors = std::move(errors.read_end);
}

Pipeline::~Pipeline() {
  end();
}

void Pipeline::check_signal() const {
  heartbeat();
  if (m_on_signal == ProcessOptions::OnSignal::end) check_interrupted();
}

std::size_t Pipeline::read(ByteSpan out) {
  std::size_t done = 0;
  while (done < out.size() && m_output) {
    check_signal();
    std::array<pollfd, 2> fds{{{m_output.get(), POLLIN, 0}, {m_errors.get(), POLLIN, 0}}};
    wait_for(fds, k_poll_ms);
    if (fds[1].revents != 0) forward_errors(0);
    if (fds[0].revents == 0) {
      if (fds[1].revents == 0) {
        reap();
        end_if_asking();
      }
      continue;
    }
    const ssize_t n = ::read(m_output.get(), out.data() + done, out.size() - done);
    if (n < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      throw_errno("read", "pipe", errno);
    }
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

std::optional<std::size_t> Pipeline::read_some(ByteSpan out) {
  check_signal();
  // Looked at each time: a child left behind may write without end.
  if (!m_left && (reap() || end_if_asking())) m_left = bytes_in(m_output);
  if (!m_output || m_left == std::size_t{0}) return std::nullopt;
  std::array<pollfd, 2> fds{{{m_output.get(), POLLIN, 0}, {-1, 0, 0}}};
  wait_for(fds, k_poll_ms);
  if (fds[0].revents == 0) return 0;
  const ssize_t n = ::read(m_output.get(), out.data(), std::min(out.size(), m_left.value_or(out.size())));
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
  if (n < 0) throw_errno("read", "pipe", errno);
  if (n == 0) return std::nullopt;
  if (m_left) *m_left -= static_cast<std::size_t>(n);
  return static_cast<std::size_t>(n);
}

void Pipeline::pass_on(std::string_view errors) {
  if (m_error_sink) {
    for (const char c : errors) {
      if (c != '\n') m_error_line += c;
      if (c != '\n' && m_error_line.size() < k_longest_line) continue;
      if (m_error_line.ends_with('\r')) m_error_line.pop_back();
      m_error_sink(m_error_line);
      m_error_line.clear();
    }
    return;
  }
  while (!errors.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, errors.data(), errors.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    errors.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Takes what is there on standard error, waiting for it at most timeout_ms. A write that fails is of no interest: what
// is being passed on are somebody else's messages.
void Pipeline::forward_errors(int timeout_ms) {
  std::array<pollfd, 2> fds{{{m_errors.get(), POLLIN, 0}, {-1, 0, 0}}};
  wait_for(fds, timeout_ms);
  if (fds[0].revents == 0) return;
  std::array<char, 4096> buffer;
  const ssize_t n = ::read(m_errors.get(), buffer.data(), buffer.size());
  if (n <= 0) {
    if (n == 0 || errno != EINTR) m_errors.reset();
    return;
  }
  const auto size = static_cast<std::size_t>(n);
  pass_on({buffer.data(), size});
  m_error_tail.append(buffer.data(), size);
  if (m_error_tail.size() > k_tail_limit) m_error_tail.erase(0, m_error_tail.size() - k_tail_limit);
}

// Collects the stages that ended, and notes those that were stopped; true once all have ended.
bool Pipeline::reap() {
  bool all = true;
  for (Stage& stage : m_stages) {
    if (stage.pid < 0) continue;
    int status = 0;
    const pid_t got = ::waitpid(stage.pid, &status, WNOHANG | WUNTRACED);
    if (got > 0 && WIFSTOPPED(status)) {
      all = false;
      // Any other signal is somebody's who will send SIGCONT, too.
      if (WSTOPSIG(status) == SIGTTIN || WSTOPSIG(status) == SIGTTOU) stage.asked_terminal = true;
    } else if (got == 0 || (got < 0 && errno == EINTR)) {
      all = false;
    } else {
      stage.status = status;
      // Somebody else took the status, or SIGCHLD is ignored: nobody may take that for success.
      stage.lost = got < 0;
      stage.pid = -1;
    }
  }
  return all;
}

// True, and everything ended, where reap() has seen a stage that waits for the terminal.
bool Pipeline::end_if_asking() {
  if (std::none_of(m_stages.begin(), m_stages.end(), [](const Stage& stage) { return stage.asked_terminal; })) {
    return false;
  }
  end();
  return true;
}

std::vector<ProcessExit> Pipeline::wait() {
  return *wait_until(std::chrono::steady_clock::time_point::max());
}

std::optional<std::vector<ProcessExit>> Pipeline::wait_until(std::chrono::steady_clock::time_point deadline) {
  // A stage that writes on gets SIGPIPE instead of blocking for ever.
  m_output.reset();
  for (int pause_ms = 1; !reap() && !end_if_asking(); pause_ms = std::min(pause_ms * 2, k_poll_ms)) {
    check_signal();
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    forward_errors(pause_ms);
  }
  // A child of the program that lives on in the background may hold standard error open: take what is there, and go.
  while (m_errors) {
    std::array<pollfd, 2> fds{{{m_errors.get(), POLLIN, 0}, {-1, 0, 0}}};
    wait_for(fds, 0);
    if (fds[0].revents == 0) break;
    forward_errors(0);
  }
  if (!m_error_line.empty()) pass_on("\n");  // the last line may have no end
  std::vector<ProcessExit> result;
  for (const Stage& stage : m_stages) {
    const bool killed = WIFSIGNALED(stage.status);
    ProcessExit& exit = result.emplace_back();
    exit.program = stage.program;
    exit.code = killed ? 0 : WEXITSTATUS(stage.status);
    exit.signal = killed ? WTERMSIG(stage.status) : 0;
    exit.lost = stage.lost;
    exit.asked_terminal = stage.asked_terminal;
  }
  return result;
}

void Pipeline::end() noexcept {
  m_output.reset();
  if (reap()) return;
  // As long as one of ours is not reaped, the group's number cannot belong to anybody else.
  ::kill(-m_group, SIGTERM);
  ::kill(-m_group, SIGCONT);  // a stopped process does not hear it
  const auto deadline = std::chrono::steady_clock::now() + k_end_grace;
  while (!reap()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      ::kill(-m_group, SIGKILL);
      for (Stage& stage : m_stages) {
        while (stage.pid > 0 && ::waitpid(stage.pid, &stage.status, 0) < 0 && errno == EINTR) continue;
        stage.pid = -1;
      }
      return;
    }
    std::this_thread::sleep_for(5ms);
  }
}

ProcessExit run_program(const std::vector<std::string>& argv, ProcessOptions options, const LineSink& sink,
                        std::optional<std::chrono::nanoseconds> timeout) {
  using Clock = std::chrono::steady_clock;
  options.standard_error = ProcessOptions::StandardError::with_output;
  const auto deadline = timeout ? Clock::now() + *timeout : Clock::time_point::max();
  Pipeline pipeline{{argv}, options};
  LineCutter lines{sink};
  std::array<std::uint8_t, 4096> buffer{};
  bool in_time = true;
  while (const auto n = pipeline.read_some(buffer)) {
    lines.add(as_text(ByteView{buffer}.first(*n)));
    in_time = Clock::now() < deadline;
    if (!in_time) break;
  }
  lines.finish();
  // One that is late is not given the time to notice that nobody reads it any more, which would end it, too.
  const auto ends = in_time ? pipeline.wait_until(deadline) : std::nullopt;
  if (ends) return ends->front();
  ProcessExit late;
  late.program = argv.front();
  late.timed_out = true;
  return late;
}

}  // namespace cairn
