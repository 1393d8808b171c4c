// The description of what is to be captured, as a value: between a configuration or command line and an open source.
#pragma once

#include "capture/command_source.hpp"
#include "capture/directory_source.hpp"
#include "capture/source.hpp"
#include "capture/sqlite/database.hpp"
#include "util/file.hpp"

#include <memory>
#include <variant>

namespace cairn {

// A directory or a file, as it is found; one that is a SQLite database is captured as a database.
struct FoundPath {
  DirectoryOptions options;  // options.sqlite also where the path itself is a database
};

struct DatabaseOptions {
  fs::path path;
  SqliteOptions sqlite;
};

using SourceSpec = std::variant<FoundPath, DirectoryOptions, DatabaseOptions, CommandOptions>;

// Looks at the path where that is to be found out. Throws SourceError, Error(usage).
std::unique_ptr<Source> open_source(const SourceSpec& spec);

// Its options as a tree, null where it cannot be one.
DirectoryOptions* tree_options(SourceSpec& spec) noexcept;
// Those of the databases that it is or holds, null where there can be none.
SqliteOptions* sqlite_options(SourceSpec& spec) noexcept;

}  // namespace cairn
