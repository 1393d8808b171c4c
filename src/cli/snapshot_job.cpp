#include "cli/snapshot_job.hpp"

#include "cli/session.hpp"
#include "engine/choose/reference.hpp"
#include "store/store_url.hpp"
#include "util/error.hpp"

#include <variant>

#include <sys/stat.h>

namespace cairn {

namespace {

SqliteOptions sqlite_options_of(const SourceConfig& source) {
  SqliteOptions options;
  options.assume_local = source.assume_local;
  if (source.busy_timeout) options.busy_timeout = *source.busy_timeout;
  if (source.lock_budget) options.lock_budget = *source.lock_budget;
  return options;
}

DirectoryOptions directory_options_of(const SourceConfig& source) {
  DirectoryOptions options;
  options.path = source.path;
  options.exclude = source.exclude;
  options.include = source.include;
  if (source.one_file_system) options.one_file_system = WalkOptions::OneFileSystem::yes;
  if (source.exclude_caches) options.exclude_caches = WalkOptions::ExcludeCaches::yes;
  if (source.reread) options.reread = DirectoryOptions::Reread::yes;
  options.sqlite = sqlite_options_of(source);
  return options;
}

SourceSpec spec_of(const SourceConfig& source) {
  switch (source.type) {
    case SourceKind::sqlite:
      return DatabaseOptions{source.path, sqlite_options_of(source)};
    case SourceKind::command: {
      CommandOptions options;
      options.stages = source.stages;
      options.secrets = source.env;
      options.file_name = source.file_name.value_or(source.series);
      return options;
    }
    case SourceKind::directory:
      break;
  }
  return directory_options_of(source);
}

// Where the path leads to it, by the path as well: there are file systems over the network and FUSE whose inode numbers
// do not stay.
void leave_out_path(DirectoryOptions& options, const fs::path& directory) {
  std::error_code failed;
  const fs::path source = fs::canonical(options.path, failed);
  if (failed) return;
  const fs::path inner = fs::canonical(directory, failed);
  if (failed) return;
  const std::string relative = inner.lexically_relative(source).native();
  if (relative.empty() || relative == "." || relative.starts_with("..")) return;
  std::string pattern = "/";
  for (const char c : relative) {
    if (c != '/') pattern += '\\';
    pattern += c;
  }
  options.exclude.push_back(pattern);
}

void leave_out(DirectoryOptions& options, const fs::path& directory) {
  struct stat status {};
  if (directory.empty() || ::stat(directory.c_str(), &status) != 0) return;
  options.omit.push_back({status.st_dev, status.st_ino});
  leave_out_path(options, directory);
}

}  // namespace

SnapshotJob job_of(const SourceConfig& source) {
  SnapshotJob job;
  job.name = source.name;
  job.series = source.series;
  job.source = spec_of(source);
  job.guard = source.guard;
  job.tags = source.tags;
  job.store = source.store.value_or(std::string{});
  job.push_to = source.push_to;
  job.verify = source.verify;
  job.drill_every = source.drill.every;
  job.hooks = source.hooks;
  return job;
}

RunPlan plan_of(const Config& config, const std::vector<SelectedSources>& selected) {
  RunPlan plan;
  plan.hooks = config.hooks;
  for (const auto& together : selected) {
    JobGroup& group = plan.groups.emplace_back();
    group.name = together.group;
    if (!together.group.empty()) group.hooks = config.groups.at(together.group).hooks;
    for (const SourceConfig* source : together.sources) group.jobs.push_back(job_of(*source));
  }
  return plan;
}

void remove_hooks(RunPlan& plan) {
  plan.hooks = {};
  for (auto& group : plan.groups) {
    group.hooks = {};
    for (auto& job : group.jobs) job.hooks = {};
  }
}

void leave_out_own(Session& session, SourceSpec& source, const Repository& repository,
                   const std::vector<std::string>& stores) {
  DirectoryOptions* const tree = tree_options(source);
  if (tree == nullptr) return;
  for (const auto& name : stores) {
    try {
      const StoreUrl url = parse_store_url(session.address(name).url);
      if (const auto* const root = std::get_if<fs::path>(&url)) leave_out(*tree, *root);
    } catch (const Error&) {
      continue;
    }
  }
  leave_out(*tree, repository.cache().directory());
  leave_out(*tree, session.spool());
}

bool is_path_operand(std::string_view operand) noexcept {
  return operand.starts_with('.') || operand.find('/') != std::string_view::npos;
}

std::string series_of_path(const fs::path& path) {
  fs::path named = path.lexically_normal();
  if (!named.has_filename()) named = named.parent_path();
  if (named.empty() || named == "." || named.filename() == "..") {
    std::error_code failed;
    const fs::path real = fs::canonical(path, failed);
    if (failed) throw_errno("open", path.native(), failed.value());
    named = real;
  }
  return default_series(named);
}

}  // namespace cairn
