// Whether somebody has a SQLite database open.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cairn {

// Who has the database `name` in an open directory open: "process 123 (app)", "another process"; nothing where nobody
// is seen to. Looks at the locks of the database and of its -shm (a connection in WAL mode holds one on each all the
// time; https://www.sqlite.org/fileformat2.html, "lock-byte page", and SQLite's os_unix.c), and through /proc at which
// files processes have open (a connection in rollback mode that does nothing holds no lock). A process in another
// container, or of another user when this one is not root, may be seen by its locks only; one on another host not at
// all. Changes nothing; must not be called in a process that has the database open itself.
std::optional<std::string> find_database_user(int directory, const std::string& name);

// Whether a file of that name may be what SQLite keeps beside a database.
bool is_log_name(std::string_view name) noexcept;
// Whether `name` in an open directory is a regular file with the beginning of a SQLite database.
bool is_sqlite_file(int directory, const std::string& name);
// Whether it begins like a SQLite rollback journal or write-ahead log.
bool is_sqlite_log_file(int directory, const std::string& name);

}  // namespace cairn
