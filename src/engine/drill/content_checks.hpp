// Whether restored databases and dumps are sound in themselves, and what they hold.
#pragma once

#include "capture/sqlite/image_checker.hpp"
#include "engine/drill/drill_command.hpp"
#include "engine/drill/restored_tree.hpp"
#include "repo/drill_record.hpp"
#include "util/log.hpp"

#include <string>
#include <vector>

namespace cairn {

// Adds to checks and inventories. One thread.
class ContentChecks {
 public:
  // directory: as survey_restored() has it. schema: the digest that was recorded when a single database was captured;
  // empty: none was. commands: for pg_restore.
  ContentChecks(Reporter& reporter, const fs::path& directory, std::string schema, DrillCommands& commands);

  // Everything that SQLite can say of it, in a child process without rights. Throws Error(interrupted).
  void check_database(const RestoredFile& file);
  // Whether it ends as its program ends one; pg_dump's own format is for pg_restore to read.
  void check_dump(const RestoredFile& file);
  // A file of a kind that nothing is known of: its size is compared.
  void note_other(const RestoredFile& file);

  std::vector<DrillCheck> checks;
  std::vector<DrillInventory> inventories;

 private:
  void check_custom_dump(const RestoredFile& file, DrillInventory& held);
  void check_plain_dump(const RestoredFile& file, int fd, DrillInventory& held);
  void add(std::string name, DrillCheck::Result result, std::string message = {});

  Reporter& m_reporter;
  fs::path m_path;
  UniqueFd m_directory;
  std::string m_schema;
  DrillCommands& m_commands;
  sqlite::ImageChecker m_checker;
};

}  // namespace cairn
