#include "cli/app.hpp"

#include "cli/command_line.hpp"
#include "cli/help.hpp"
#include "cli/log_output.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/interrupt.hpp"
#include "util/secret.hpp"
#include "util/time.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

constexpr std::size_t k_run_id_bytes = 4;

// A file that is opened later must not take the place of a stream that was closed: what is printed would go into it,
// and a child would read it. Opened for reading, all three fail to be written to.
void hold_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDONLY));
  }
}

// systemd.exec(5), JOURNAL_STREAM: device and inode of the socket, which a stream that was put elsewhere since is not.
bool is_journal(const EnvironmentLookup& environment, int fd) {
  const auto stream = nonempty(environment, "JOURNAL_STREAM");
  struct stat st {};
  if (!stream || ::fstat(fd, &st) != 0) return false;
  return *stream == fmt::format("{}:{}", st.st_dev, st.st_ino);
}

}  // namespace

Io process_io() {
  hold_standard_streams();
  std::ios::sync_with_stdio(false);
  const std::string run_id = random_name(k_run_id_bytes);
  ::setenv("CAIRN_RUN_ID", run_id.c_str(), 1);  // before there is a second thread
  const EnvironmentLookup environment = [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string{name}.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
  std::shared_ptr<ServiceManager> manager = ServiceManager::find(environment);
  ServiceManager::forget_environment();
  return {.in = std::cin,
          .out = std::cout,
          .err = std::cerr,
          .in_is_terminal = isatty(STDIN_FILENO) == 1,
          .out_is_terminal = isatty(STDOUT_FILENO) == 1,
          .err_is_terminal = isatty(STDERR_FILENO) == 1,
          .environment = environment,
          .clock = [] { return std::chrono::time_point_cast<Nanoseconds>(std::chrono::system_clock::now()); },
          .out_descriptor = STDOUT_FILENO,
          .out_abandoned =
              [] {
                // The stream forgets which error it met; a pipe or socket without a reader still says so itself.
                struct pollfd out {
                  STDOUT_FILENO, POLLOUT, 0
                };
                return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
              },
          .protect_memory = forbid_core_dumps_of_secrets,
          .run_id = run_id,
          .out_is_journal = is_journal(environment, STDOUT_FILENO),
          .err_is_journal = is_journal(environment, STDERR_FILENO),
          .manager = std::move(manager)};
}

namespace {

void print_help(Io& io, const CommandInfo& program, const Command* command) {
  if (command == nullptr) {
    io.out << program_help(program);
    return;
  }
  for (const auto& info : program.commands) {
    if (info.name == command->name()) io.out << command_help(program, info);
  }
}

// All output must have arrived: a full disk under a redirected list is a failure. A reader that wanted no more is none:
// the program ends without a word, as others do of SIGPIPE, which is ignored here so that no upload and no snapshot
// under way can die of it. The work is done by now; a status that tells more stays.
// done: what the command changed, for those who cannot read it there.
int finish_output(Io& io, int status, const std::vector<std::string>& done = {}) {
  const bool lost_before = !io.out;
  errno = 0;
  if (lost_before) {
    // The stream forgets which error it met, and may have dropped what it could not write: one more byte shows it.
    io.out.clear();
    io.out.put('\n');
  }
  io.out.flush();
  const int error = io.out ? 0 : errno;
  if (io.out && !lost_before) return status;
  if (io.out_abandoned && io.out_abandoned()) return status == 0 ? 128 + SIGPIPE : status;
  std::string more = error == 0 ? "" : ": " + errno_text(error);
  for (const auto& text : done) more += "; " + text;
  throw OutputLost{more};
}

// While it lives, looking for a signal is a sign of life.
class Heartbeat {
 public:
  explicit Heartbeat(ServiceManager* manager) { set_heartbeat(manager); }
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;
  ~Heartbeat() { set_heartbeat(nullptr); }
};

int run_command(Io& io, LogOutput& log, const GlobalOptions& global, const ParsedCommandLine& parsed,
                const Commands& commands) {
  CommandInfo program = describe_command_line(commands);
  if (parsed.asked == ParsedCommandLine::Asked::help) {
    print_help(io, program, parsed.command);
    return finish_output(io, 0);
  }
  if (parsed.asked == ParsedCommandLine::Asked::version) {
    io.out << "cairn " << CAIRN_VERSION << '\n';
    return finish_output(io, 0);
  }
  show_times(global.local_time ? TimeZoneShown::local : TimeZoneShown::utc);
  if (global.log_file) log.open_file(*global.log_file);
  using Level = ConsoleReporter::Level;
  const Level level = global.quiet ? Level::quiet : global.verbose ? Level::verbose : Level::normal;
  const auto progress = io.err_is_terminal && !global.quiet && !global.log_json ? ConsoleReporter::Progress::yes
                                                                                : ConsoleReporter::Progress::no;
  ConsoleReporter reporter{io.err, log, level, progress, io.manager.get()};
  struct ClearProgress {  // before the line of an error, too
    ConsoleReporter& reporter;
    ~ClearProgress() { reporter.clear_progress(); }
  } const clear{reporter};
  Session session{io, global, reporter, std::move(program), parsed.command->patience()};
  if (io.manager) {
    io.manager->ready();
    io.manager->set_status(parsed.command->name());
  }
  const Heartbeat beating{io.manager.get()};
  int status = 0;
  try {
    status = to_int(parsed.command->run(session));
  } catch (const OutputLost&) {
    io.out.setstate(std::ios::badbit);
  }
  if (io.manager) io.manager->set_status(outcome_name(ExitStatus{status}));
  return finish_output(io, status, session.changes());
}

int report(Io& io, LogOutput& log, const Error& error, bool json) {
  const int status = exit_status_of(error.kind(), interrupted_by());
  log.add(error);
  if (io.manager) io.manager->set_status("failed: " + error.message());
  if (json) {
    JsonWriter to = begin_document("error");
    write_error_members(to, error);
    to.member("exit_status", status).end_object();
    io.out << to.text() << '\n';
    io.out.flush();
  }
  return status;
}

}  // namespace

int run(int argc, const char* const* argv, Io& io) {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const bool json = asks_for("--json", arguments);
  using Form = LogOutput::Form;
  const Form form = asks_for("--log-json", arguments) ? Form::json : io.err_is_journal ? Form::journal : Form::people;
  LogOutput log{io.err, form, io.run_id, io.clock};
  try {
    const Commands commands = make_commands();
    GlobalOptions global;
    const ParsedCommandLine parsed = parse_command_line(arguments, commands, global);
    return run_command(io, log, global, parsed, commands);
  } catch (const Error& e) {
    return report(io, log, e, json);
  } catch (const std::bad_alloc&) {
    return report(io, log, Error(ErrorKind::failed, "out of memory"), json);
  } catch (const std::exception& e) {
    return report(io, log, Error(ErrorKind::failed, e.what()), json);
  }
}

}  // namespace cairn
