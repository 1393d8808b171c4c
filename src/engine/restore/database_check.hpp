// Whether restored databases are sound, found out while they are in staging still: a broken one never takes the place
// of what is at the target.
#pragma once

#include "capture/sqlite/image_checker.hpp"
#include "engine/restore/restore_executor.hpp"
#include "engine/restore/tree_writer.hpp"
#include "repo/manifest.hpp"
#include "util/log.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace cairn {

// The digest of the schema that was recorded when a snapshot of one database was taken; empty where none was.
std::string recorded_schema(const Manifest& manifest);

// One thread.
class DatabaseCheck {
 public:
  // schema: as recorded_schema() gives it, for all that are checked.
  DatabaseCheck(Reporter& reporter, std::string schema);

  // PRAGMA quick_check and the schema of each database that a writer has finished, in a child process
  // (sqlite::ImageChecker). Those that are broken become problems, and are taken out of staging where they would
  // replace something: a copy that is broken is better than none, and worse than another one. Of one that cannot be
  // checked (a newer schema, a log beside it, no child) a warning tells, and it stays. Throws Error, also interrupted.
  using Replaces = std::function<bool(const std::string& path)>;
  void run(TreeWriter& writer, Restored& restored, const Replaces& replaces);

 private:
  std::optional<std::string> broken(int file, const std::string& path);

  Reporter& m_reporter;
  std::string m_schema;
  sqlite::ImageChecker m_checker;
  std::uint64_t m_bytes = 0;  // of those before
  std::uint64_t m_all = 0;
};

}  // namespace cairn
