// The logs that lie beside a database which a restore replaces.
#pragma once

#include "util/log.hpp"

#include <functional>
#include <string>
#include <vector>

namespace cairn {

// SQLite would play an old log into the new database, or a new one's into an old: what lies beside a restored database
// and does not come from the snapshot itself must not keep its name. One object for each file that is moved: construct,
// set_aside(), move the file, then tell() or put_back().
class DatabaseLogs {
 public:
  // directory: that the file goes to; open until the end.
  DatabaseLogs(int directory, Reporter& reporter) : m_directory(directory), m_reporter(reporter) {}

  // Where what is staged is a regular file with the beginning of a database, or what lies beside `name` begins like a
  // log (an encrypted database has no magic): renames NAME-wal, -shm and -journal to NAME-wal.cairn-aside-RANDOM, but
  // for those that the snapshot has, too. keep_as, where it is not empty: that the database itself will be called, so
  // its logs are called after it. Whether something was renamed. Throws Error(failed), having put back what was.
  bool set_aside(const std::string& name, int staged_directory, const std::string& staged_name,
                 const std::string& keep_as = {});
  // The database was not replaced: without its log it would have lost what was committed last. Warns of what cannot be
  // renamed back.
  void put_back() const;
  struct Renamed {
    std::string log;
    std::string aside;
  };
  const std::vector<Renamed>& renamed() const noexcept { return m_renamed; }
  // It was replaced: says in a warning each how the logs are called now.
  void tell() const;
  // It was replaced: removes those whose old names are to go, by gone(name), and tells of the others.
  void remove_or_tell(const std::function<bool(const std::string& log)>& gone);

 private:
  int m_directory;
  Reporter& m_reporter;
  std::vector<Renamed> m_renamed;
};

}  // namespace cairn
