// The way from operands and configuration to the job of one snapshot, with its source.
#pragma once

#include "capture/source_spec.hpp"
#include "cli/config.hpp"
#include "engine/run/run_plan.hpp"
#include "engine/run/snapshot_job.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cairn {

class Repository;
class Session;

// The job that a configured source asks for. Its store is empty where the configuration of the source names none.
SnapshotJob job_of(const SourceConfig& source);
// The jobs of selected sources, with all hooks; nothing is pruned.
RunPlan plan_of(const Config& config, const std::vector<SelectedSources>& selected);
// Of a rehearsal, which runs no program.
void remove_hooks(RunPlan& plan);

// Leaves what runs write themselves out of the source, by whatever path it is met there, a bind mount too: stores in
// directories, the cache and the spool. A snapshot of them would grow by itself each time. stores: names or addresses;
// what is no address of a store is for whoever opens it to say.
void leave_out_own(Session& session, SourceSpec& source, const Repository& repository,
                   const std::vector<std::string>& stores);

// Whether an operand means a path rather than a configured name: it has a '/' or a leading '.'.
bool is_path_operand(std::string_view operand) noexcept;
// The series of a path that was given no name: its last component, of "." and the like that of the real path.
std::string series_of_path(const fs::path& path);

}  // namespace cairn
