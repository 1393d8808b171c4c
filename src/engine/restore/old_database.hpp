// The SQLite database that a restore is about to replace.
#pragma once

#include "capture/sqlite/settled_database.hpp"
#include "util/file_id.hpp"
#include "util/log.hpp"

#include <memory>
#include <string>

#include <sys/stat.h>

namespace cairn {

// Settled, and closed to everybody, as long as it lives. One thread.
class OldDatabase {
 public:
  // `name` in an open directory, which is that regular file; the directory stays open as long as the object lives. Null
  // where it is no SQLite database, and where SQLite cannot settle it: then a warning says so if something lies beside
  // it that may hold a part of what was committed. Throws Error: busy where somebody has it open, failed where there is
  // no space for what its log holds.
  static std::unique_ptr<OldDatabase> settle(int directory, const std::string& name, const struct stat& there,
                                             const std::string& shown, Reporter& reporter);

  // Removes its -wal, -shm and -journal, which say nothing any more. A file of these names that is no log of SQLite's
  // stays. Whether something was removed; not yet durable. Throws Error(failed).
  bool clear_logs() const;
  // It was replaced: warns of who opened it since it was looked at, waits for its lock, and would go on with it.
  void warn_of_late_users() const;

 private:
  OldDatabase(int directory, std::string name, const struct stat& there, std::string shown, Reporter& reporter)
      : m_directory(directory),
        m_name(std::move(name)),
        m_id(id_of(there)),
        m_shown(std::move(shown)),
        m_reporter(reporter) {}
  pid_t other_user() const;
  bool says_nothing(const std::string& log) const;

  int m_directory;
  std::string m_name;
  FileId m_id;
  std::string m_shown;
  Reporter& m_reporter;
  std::unique_ptr<sqlite::SettledDatabase> m_settled;
};

}  // namespace cairn
