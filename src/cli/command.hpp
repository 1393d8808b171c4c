// A command of the program: its options, and what it prints. The work is the engine's.
#pragma once

#include "cli/options.hpp"
#include "store/store_address.hpp"
#include "util/exit_status.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

class Session;

class Command {
 public:
  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  virtual std::string name() const = 0;
  virtual std::string summary() const = 0;  // one line, for help
  virtual void declare(OptionSet& options) = 0;
  // Where "-- COMMAND ARG..." goes; null where the command takes none.
  virtual std::vector<std::string>* trailing_command() { return nullptr; }
  // The word that COMMAND ARG... follow, all that is left of the line: "--", or an option, which is declared as well.
  virtual std::string_view trailing_marker() const { return "--"; }
  // Patience::job where cron and timers run it: it must not fail because the network is away for a moment.
  virtual Patience patience() const { return Patience::person; }
  // After parsing. Prints, and returns what the exit status is; an Error is thrown on.
  virtual ExitStatus run(Session& session) = 0;
};

// The option that a program and its arguments follow.
inline constexpr std::string_view k_exec_option = "--exec";

using Commands = std::vector<std::unique_ptr<Command>>;

// Every command, in the order of the help.
Commands make_commands();

}  // namespace cairn
