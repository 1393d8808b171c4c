// Programs run as children, without a shell.
#pragma once

#include "util/bytes.hpp"
#include "util/file.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace cairn {

struct ProcessExit {
  std::string program;  // argv[0] as it was given
  int code = 0;         // exit status where signal is 0
  int signal = 0;       // the signal that killed it
  bool lost = false;    // the system did not say how it ended
  // It was ended because it, or a child of it, wanted to read from the terminal or to change its settings.
  bool asked_terminal = false;
  bool timed_out = false;  // it was ended because it took longer than it was given
  bool ok() const noexcept { return code == 0 && signal == 0 && !lost && !asked_terminal && !timed_out; }
  // "exited with status 1", "was killed by signal 9 (Killed)", "wants the terminal", "took too long and was ended".
  std::string text() const;
};

// Variables that are this program's own business, and its children do not inherit unless they are to: the secret parts
// of S3's credentials, and where identities and signing keys are.
bool is_secret_variable(std::string_view name) noexcept;

struct ProcessOptions {
  // Added to the environment, or replacing what it has.
  std::vector<std::pair<std::string, std::string>> environment;
  // Names of variables with secrets that the programs are to have all the same; see is_secret_variable().
  std::vector<std::string> secrets{};
  // tail: standard error passes through this process, which keeps its last bytes for a message. with_output: it goes
  // where standard output goes, in the order in which it was written.
  enum class StandardError { inherit, tail, with_output };
  StandardError standard_error = StandardError::inherit;
  // With tail: takes the lines instead of this process's standard error. May be empty.
  std::function<void(std::string_view line)> errors = {};
  // Of the first stage. inherit: this process's own, but for a terminal: reading from that would stop the programs, as
  // they are no foreground group of it.
  enum class StandardInput { none, inherit };
  StandardInput standard_input = StandardInput::none;
  // A file that the first stage reads instead, from where it stands; it stays the caller's. Negative: none.
  int input = -1;
  // The fate of the programs when a signal asks this process to stop. keep: they are waited for all the same, as
  // they clean up. A second signal ends this process without them.
  enum class OnSignal { end, keep };
  OnSignal on_signal = OnSignal::end;
  // In which the programs run; nothing: in this process's own.
  std::optional<fs::path> directory{};
};

// One or more programs, each one's standard output the next one's input, the last one's output read here; standard
// input of the first is /dev/null unless the options say otherwise. They run in a process group of their own, with
// default signal handling. The destructor ends what still runs: SIGTERM to the group, and SIGKILL after two seconds.
// A program that asks on the terminal would stand still for ever, as its group is not in the foreground: the group is
// ended as soon as that is seen. Not thread-safe.
class Pipeline {
 public:
  // At least one stage, each with at least its program (looked up in PATH). Throws Error where one cannot be started;
  // those before it are ended.
  explicit Pipeline(const std::vector<std::vector<std::string>>& stages, const ProcessOptions& options = {});
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  ~Pipeline();

  // Fills out unless the output ends first; 0 is its end. Throws Error(interrupted) as soon as a signal arrives.
  std::size_t read(ByteSpan out);

  // Reads bytes that are there or come within a tenth of a second; 0: none came. Nothing: the output has ended, or
  // every stage has and what they wrote until then was read. A child that they left behind may hold the output open.
  // Throws Error(interrupted).
  std::optional<std::size_t> read_some(ByteSpan out);

  // Closes the output, waits for every stage and says how each ended, in order. Throws Error(interrupted).
  std::vector<ProcessExit> wait();
  // The same; nothing where not all have ended by then.
  std::optional<std::vector<ProcessExit>> wait_until(std::chrono::steady_clock::time_point deadline);

  // The last bytes (at most 4 KiB) of standard error, with StandardError::tail. Complete after wait().
  const std::string& error_tail() const noexcept { return m_error_tail; }

 private:
  struct Stage {
    std::string program;
    pid_t pid = -1;  // -1 once reaped
    int status = 0;
    bool lost = false;  // there was nothing to reap
    bool asked_terminal = false;
  };
  void check_signal() const;
  bool reap();
  bool end_if_asking();
  void forward_errors(int timeout_ms);
  void pass_on(std::string_view errors);
  void end() noexcept;

  ProcessOptions::OnSignal m_on_signal;
  std::vector<Stage> m_stages;
  pid_t m_group = 0;
  UniqueFd m_output;
  UniqueFd m_errors;
  std::string m_error_tail;
  std::function<void(std::string_view line)> m_error_sink;
  std::string m_error_line;           // what has no end yet
  std::optional<std::size_t> m_left;  // once every stage has ended: what is still to be read
};

// Takes what a program prints, a line at a time and without its end; a very long one comes in pieces.
using LineSink = std::function<void(std::string_view line)>;

// Runs one program to its end, or to that of the time it is given. What it prints, on both of its streams, goes to the
// sink (a hook must not write into the data a command prints). A child that it leaves behind with its output open is
// neither waited for nor read any further; of one that takes too long the whole group is ended. Throws Error where it
// cannot be started, Error(interrupted) after ending it; options say otherwise of signals, and of standard error
// nothing.
ProcessExit run_program(const std::vector<std::string>& argv, ProcessOptions options, const LineSink& sink,
                        std::optional<std::chrono::nanoseconds> timeout = {});

}  // namespace cairn
