// Turns an argument vector into a command with its options filled in.
#pragma once

#include "cli/command.hpp"
#include "cli/options.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct GlobalOptions {
  std::optional<std::string> config;
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  bool log_json = false;
  bool local_time = false;
  std::optional<std::string> log_file;
};

struct ParsedCommandLine {
  enum class Asked { command, help, version };
  Asked asked = Asked::command;
  Command* command = nullptr;  // for help: the command it was asked of, or null for the program
};

// Throws Error(usage) with a hint. arguments: without the program's name. Option values end up in the commands' own
// fields and in global.
ParsedCommandLine parse_command_line(const std::vector<std::string>& arguments, const Commands& commands,
                                     GlobalOptions& global);

// The commands and options that parse_command_line() accepts, from the same option tree.
CommandInfo describe_command_line(const Commands& commands);

// Whether a global flag, "--json" or "--log-json", stands among the arguments: how a failure to parse them is to be
// reported.
bool asks_for(const char* flag, const std::vector<std::string>& arguments);

}  // namespace cairn
