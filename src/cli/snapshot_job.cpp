#include "cli/snapshot_job.hpp"

#include "cli/session.hpp"
#include "engine/choose/reference.hpp"
#include "store/store_url.hpp"
#include "util/error.hpp"

#include <variant>

#include <sys/stat.h>

namespace cairn {

SnapshotJob job_of(const SourceConfig& source) {
  SnapshotJob job;
  job.name = source.name;
  job.series = source.series;
  job.tags = source.tags;
  job.store = source.store;
  job.push_to = source.push_to;
  job.guard = source.guard;
  job.sqlite.assume_local = source.assume_local;
  if (source.busy_timeout) job.sqlite.busy_timeout = *source.busy_timeout;
  if (source.lock_budget) job.sqlite.lock_budget = *source.lock_budget;
  job.directory.path = source.path;
  switch (source.type) {
    case SourceKind::directory:
      job.kind = SnapshotJob::Kind::directory;
      job.directory.exclude = source.exclude;
      job.directory.include = source.include;
      if (source.one_file_system) job.directory.one_file_system = WalkOptions::OneFileSystem::yes;
      if (source.exclude_caches) job.directory.exclude_caches = WalkOptions::ExcludeCaches::yes;
      if (source.reread) job.directory.reread = DirectoryOptions::Reread::yes;
      break;
    case SourceKind::sqlite:
      job.kind = SnapshotJob::Kind::sqlite;
      break;
    case SourceKind::command:
      job.kind = SnapshotJob::Kind::command;
      job.command.stages = source.stages;
      job.command.secrets = source.env;
      job.command.file_name = source.file_name.value_or(source.series);
      break;
  }
  return job;
}

namespace {

// Where the path leads to it, by the path as well: there are file systems over the network and FUSE whose inode numbers
// do not stay.
void leave_out_path(SnapshotJob& job, const fs::path& directory) {
  std::error_code failed;
  const fs::path source = fs::canonical(job.directory.path, failed);
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
  job.directory.exclude.push_back(pattern);
}

void leave_out(SnapshotJob& job, const fs::path& directory) {
  struct stat status {};
  if (directory.empty() || ::stat(directory.c_str(), &status) != 0) return;
  job.directory.omit.push_back({status.st_dev, status.st_ino});
  leave_out_path(job, directory);
}

}  // namespace

void leave_out_own(Session& session, SnapshotJob& job, const Repository& repository,
                   const std::vector<std::string>& stores) {
  for (const auto& name : stores) {
    try {
      const StoreUrl url = parse_store_url(session.address(name).url);
      if (const auto* const root = std::get_if<fs::path>(&url)) leave_out(job, *root);
    } catch (const Error&) {
      continue;
    }
  }
  leave_out(job, repository.cache().directory());
  leave_out(job, session.spool());
}

std::unique_ptr<Source> open_source(const SnapshotJob& job) {
  if (job.kind == SnapshotJob::Kind::command) return std::make_unique<CommandSource>(job.command);
  const fs::path& path = job.directory.path;
  const bool database =
      job.kind == SnapshotJob::Kind::sqlite || (job.kind == SnapshotJob::Kind::path && is_sqlite_database_file(path));
  if (database) return std::make_unique<SqliteSource>(path, job.sqlite);
  return std::make_unique<DirectorySource>(job.directory);
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
