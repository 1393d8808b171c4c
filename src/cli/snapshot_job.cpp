#include "cli/snapshot_job.hpp"

#include "engine/reference.hpp"
#include "util/error.hpp"

namespace cairn {

OpenSource open_source(const SnapshotJob& job) {
  using Kind = SnapshotJob::Kind;
  if (job.kind == Kind::command) return {std::make_unique<CommandSource>(job.command), true};
  std::error_code ignored;  // what cannot be looked at is reported by the source that opens it
  const fs::path& path = job.directory.path;
  const bool database = job.kind == Kind::sqlite ||
                        (job.kind == Kind::path && fs::is_regular_file(path, ignored) && is_sqlite_database_file(path));
  if (database) return {std::make_unique<SqliteSource>(path, job.sqlite), true};
  auto source = std::make_unique<DirectorySource>(job.directory);
  const bool single_file = source->is_single_file();
  return {std::move(source), single_file};
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
