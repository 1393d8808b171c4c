#include "cli/commands.hpp"

namespace cairn {

Commands make_commands() {
  Commands out;
  out.push_back(make_setup_command());
  out.push_back(make_init_command());
  out.push_back(make_snapshot_command());
  out.push_back(make_run_command());
  out.push_back(make_push_command());
  out.push_back(make_list_command());
  out.push_back(make_show_command());
  out.push_back(make_diff_command());
  out.push_back(make_query_command());
  out.push_back(make_find_command());
  out.push_back(make_history_command());
  out.push_back(make_verify_command());
  out.push_back(make_restore_command());
  out.push_back(make_drill_command());
  out.push_back(make_prune_command());
  out.push_back(make_pin_command());
  out.push_back(make_unpin_command());
  out.push_back(make_forget_command());
  out.push_back(make_status_command());
  out.push_back(make_report_command());
  out.push_back(make_doctor_command());
  out.push_back(make_runbook_command());
  out.push_back(make_key_command());
  out.push_back(make_completion_command());
  return out;
}

}  // namespace cairn
