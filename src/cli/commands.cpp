#include "cli/commands.hpp"

namespace cairn {

Commands make_commands() {
  Commands out;
  out.push_back(make_init_command());
  out.push_back(make_list_command());
  out.push_back(make_completion_command());
  return out;
}

}  // namespace cairn
