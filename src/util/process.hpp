// Programs run as children, without a shell.
#pragma once

#include "util/bytes.hpp"
#include "util/file.hpp"

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
  bool ok() const noexcept { return code == 0 && signal == 0 && !lost && !asked_terminal; }
  // "exited with status 1", "was killed by signal 9 (Killed)", "wants the terminal".
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
  // tail: standard error passes through this process, which keeps its last bytes for a message.
  enum class StandardError { inherit, tail };
  StandardError standard_error = StandardError::inherit;
  // Of the first stage. inherit: this process's own, but for a terminal: reading from that would stop the programs, as
  // they are no foreground group of it.
  enum class StandardInput { none, inherit };
  StandardInput standard_input = StandardInput::none;
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

  // Closes the output, waits for every stage and says how each ended, in order. Throws Error(interrupted).
  std::vector<ProcessExit> wait();

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
  bool reap();
  bool end_if_asking();
  void forward_errors(int timeout_ms);
  void end() noexcept;

  std::vector<Stage> m_stages;
  pid_t m_group = 0;
  UniqueFd m_output;
  UniqueFd m_errors;
  std::string m_error_tail;
};

// Runs one program to its end, its standard output going to this process's standard error (a hook must not write into
// the data a command prints). Throws Error where it cannot be started, Error(interrupted) after ending it.
ProcessExit run_program(const std::vector<std::string>& argv, const ProcessOptions& options = {});

}  // namespace cairn
