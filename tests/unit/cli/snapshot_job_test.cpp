#include "cli/snapshot_job.hpp"

#include "util/file.hpp"

#include <chrono>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

SourceConfig config_of(SourceKind type) {
  SourceConfig out;
  out.name = "state";
  out.series = "series";
  out.type = type;
  out.path = "/srv/state";
  out.busy_timeout = 3s;
  out.lock_budget = 7s;
  out.assume_local = true;
  out.exclude = {"*.tmp"};
  out.include = {"kept"};
  out.one_file_system = true;
  out.exclude_caches = true;
  out.reread = true;
  out.stages = {{"dump", "--all"}, {"pack"}};
  out.env = {"PASSWORD"};
  out.tags = {{"k", "v"}};
  out.push_to = {"offsite"};
  out.guard.min_files = 4;
  return out;
}

void check_locks(const SqliteOptions& options) {
  CHECK(options.busy_timeout == 3s);
  CHECK(options.lock_budget == 7s);
  CHECK(options.assume_local);
}

}  // namespace

TEST_CASE("snapshot job: a configured source asks for what it says, of its databases too") {
  const SnapshotJob directory = job_of(config_of(SourceKind::directory));
  CHECK(directory.name == "state");
  CHECK(directory.series == "series");
  CHECK(directory.tags.at("k") == "v");
  CHECK(directory.push_to == std::vector<std::string>{"offsite"});
  CHECK(directory.guard.min_files == 4);
  CHECK(directory.store.empty());
  const auto& tree = std::get<DirectoryOptions>(directory.source);
  CHECK(tree.path == "/srv/state");
  CHECK(tree.exclude == std::vector<std::string>{"*.tmp"});
  CHECK(tree.include == std::vector<std::string>{"kept"});
  CHECK(tree.one_file_system == WalkOptions::OneFileSystem::yes);
  CHECK(tree.exclude_caches == WalkOptions::ExcludeCaches::yes);
  CHECK(tree.reread == DirectoryOptions::Reread::yes);
  check_locks(tree.sqlite);

  auto config = config_of(SourceKind::sqlite);
  config.store = "vault";
  const SnapshotJob database = job_of(config);
  CHECK(database.store == "vault");
  CHECK(std::get<DatabaseOptions>(database.source).path == "/srv/state");
  check_locks(std::get<DatabaseOptions>(database.source).sqlite);

  const SnapshotJob command = job_of(config_of(SourceKind::command));
  const auto& options = std::get<CommandOptions>(command.source);
  CHECK(options.stages.size() == 2);
  CHECK(options.secrets == std::vector<std::string>{"PASSWORD"});
  CHECK(options.file_name == "series");
  CHECK_FALSE(options.inherits_input);
}

TEST_CASE("snapshot job: an operand with a slash or a leading dot is a path, and names its series") {
  CHECK(is_path_operand("./state"));
  CHECK(is_path_operand("."));
  CHECK(is_path_operand("srv/state"));
  CHECK_FALSE(is_path_operand("state"));
  CHECK(series_of_path("/srv/state/") == "state");
  const TemporaryDirectory directory{fs::temp_directory_path()};
  CHECK(series_of_path(directory.path() / "x" / "..") == directory.path().filename());
}

TEST_CASE("snapshot job: a plan has the hooks of the run, of groups that are named, and of sources") {
  Config config;
  config.hooks.before = {{"run"}};
  config.groups["g"].hooks.before = {{"group"}};
  SourceConfig source = config_of(SourceKind::directory);
  source.hooks.finally = {{"source"}};
  source.verify = VerifyLevel::sample;
  RunPlan plan = plan_of(config, {{"", {&source}}, {"g", {&source}}});
  REQUIRE(plan.groups.size() == 2);
  CHECK(plan.hooks.before == config.hooks.before);
  CHECK(plan.groups[0].hooks.empty());
  CHECK(plan.groups[1].name == "g");
  CHECK(plan.groups[1].hooks.before == Hooks::List{{"group"}});
  CHECK(plan.groups[1].jobs.at(0).hooks.finally == Hooks::List{{"source"}});
  CHECK(plan.groups[1].jobs[0].verify == VerifyLevel::sample);
  CHECK(plan.prune.empty());
  remove_hooks(plan);
  CHECK(plan.hooks.empty());
  CHECK(plan.groups[1].hooks.empty());
  CHECK(plan.groups[1].jobs[0].hooks.empty());
}
