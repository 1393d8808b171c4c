// The text of --help.
#pragma once

#include "cli/options.hpp"

#include <string>

namespace cairn {

// Of the program (its commands and global options).
std::string program_help(const CommandInfo& program);
// Of one command.
std::string command_help(const CommandInfo& program, const CommandInfo& command);

}  // namespace cairn
