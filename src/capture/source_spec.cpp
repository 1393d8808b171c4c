#include "capture/source_spec.hpp"

namespace cairn {

namespace {

struct Opener {
  std::unique_ptr<Source> operator()(const FoundPath& found) const {
    const fs::path& path = found.options.path;
    if (is_sqlite_database_file(path)) return std::make_unique<SqliteSource>(path, found.options.sqlite);
    return std::make_unique<DirectorySource>(found.options);
  }
  std::unique_ptr<Source> operator()(const DirectoryOptions& options) const {
    return std::make_unique<DirectorySource>(options);
  }
  std::unique_ptr<Source> operator()(const DatabaseOptions& options) const {
    return std::make_unique<SqliteSource>(options.path, options.sqlite);
  }
  std::unique_ptr<Source> operator()(const CommandOptions& options) const {
    return std::make_unique<CommandSource>(options);
  }
};

}  // namespace

std::unique_ptr<Source> open_source(const SourceSpec& spec) {
  return std::visit(Opener{}, spec);
}

DirectoryOptions* tree_options(SourceSpec& spec) noexcept {
  if (auto* const found = std::get_if<FoundPath>(&spec)) return &found->options;
  return std::get_if<DirectoryOptions>(&spec);
}

SqliteOptions* sqlite_options(SourceSpec& spec) noexcept {
  if (auto* const tree = tree_options(spec)) return &tree->sqlite;
  auto* const database = std::get_if<DatabaseOptions>(&spec);
  return database == nullptr ? nullptr : &database->sqlite;
}

}  // namespace cairn
