// The makers of all commands, one file each.
#pragma once

#include "cli/command.hpp"

#include <memory>

namespace cairn {

std::unique_ptr<Command> make_init_command();
std::unique_ptr<Command> make_snapshot_command();
std::unique_ptr<Command> make_run_command();
std::unique_ptr<Command> make_push_command();
std::unique_ptr<Command> make_list_command();
std::unique_ptr<Command> make_show_command();
std::unique_ptr<Command> make_diff_command();
std::unique_ptr<Command> make_query_command();
std::unique_ptr<Command> make_find_command();
std::unique_ptr<Command> make_history_command();
std::unique_ptr<Command> make_verify_command();
std::unique_ptr<Command> make_restore_command();
std::unique_ptr<Command> make_drill_command();
std::unique_ptr<Command> make_pin_command();
std::unique_ptr<Command> make_unpin_command();
std::unique_ptr<Command> make_prune_command();
std::unique_ptr<Command> make_forget_command();
std::unique_ptr<Command> make_setup_command();
std::unique_ptr<Command> make_status_command();
std::unique_ptr<Command> make_report_command();
std::unique_ptr<Command> make_doctor_command();
std::unique_ptr<Command> make_runbook_command();
std::unique_ptr<Command> make_key_command();
std::unique_ptr<Command> make_completion_command();

}  // namespace cairn
