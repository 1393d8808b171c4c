// The makers of all commands, one file each.
#pragma once

#include "cli/command.hpp"

#include <memory>

namespace cairn {

std::unique_ptr<Command> make_init_command();
std::unique_ptr<Command> make_list_command();
std::unique_ptr<Command> make_completion_command();

}  // namespace cairn
