// What one snapshot is to be taken of: from operands and configuration to a source.
#pragma once

#include "capture/command_source.hpp"
#include "capture/directory_source.hpp"
#include "capture/source.hpp"
#include "capture/sqlite/database.hpp"
#include "cli/config.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

class Repository;
class Session;

struct SnapshotJob {
  enum class Kind {
    path,  // a directory or a file, as found; a SQLite database is captured as one
    directory,
    sqlite,
    command,
  };
  Kind kind = Kind::path;
  std::string name;  // of the configured source; of a path or a command its series
  std::string series;
  bool series_defaulted = false;
  DirectoryOptions directory;  // its path: of a database, too
  SqliteOptions sqlite;
  CommandOptions command;
  SizeGuard guard;
  std::map<std::string, std::string> tags;
  std::optional<std::string> store;  // where the configuration puts it
  std::vector<std::string> push_to;  // stores
};

// What a configured source asks for.
SnapshotJob job_of(const SourceConfig& source);

// Leaves what runs write themselves out of the source, by whatever path it is met there, a bind mount too: stores in
// directories, the cache and the spool. A snapshot of them would grow by itself each time. stores: names or addresses;
// what is no address of a store is for whoever opens it to say.
void leave_out_own(Session& session, SnapshotJob& job, const Repository& repository,
                   const std::vector<std::string>& stores);

// Throws SourceError.
std::unique_ptr<Source> open_source(const SnapshotJob& job);

// Whether an operand means a path rather than a configured name: it has a '/' or a leading '.'.
bool is_path_operand(std::string_view operand) noexcept;
// The series of a path that was given no name: its last component, of "." and the like that of the real path.
std::string series_of_path(const fs::path& path);

}  // namespace cairn
