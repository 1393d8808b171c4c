// The two directories that SQLite sees in the child that reads databases, and the system calls by which it sees them.
//
// SQLite opens files by path, follows whatever links lie there, waits for whoever opens the other end of a FIFO, and as
// root gives -shm and -wal away. In the child its system calls are replaced (xSetSystemCall,
// sqlite.org/c3ref/vfs.html):
// "/db/NAME" is a name in one open directory, "/copy/NAME" a file without a name, and there is nothing else. What lies
// elsewhere cannot be reached whatever is exchanged meanwhile, nothing is opened but regular files that are what they
// were when they were chosen, and nothing is removed or given away.
#pragma once

#include "capture/sqlite/protocol.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>

namespace cairn::sqlite {

// As SQLite has to call what is opened.
inline constexpr const char* k_live_prefix = "/db/";
inline constexpr const char* k_copy_path = "/copy/copy.db";

// The functions fail as system calls do: -1 or false, and errno.
class Directory {
 public:
  Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  virtual ~Directory() = default;
  virtual int open(const std::string& name, int flags, unsigned mode) noexcept = 0;
  virtual bool status(const std::string& name, struct stat& out) noexcept = 0;
  virtual bool may(const std::string& name, int access) noexcept = 0;
  virtual bool remove(const std::string& name) noexcept = 0;
};

// Where the database lies, held by a descriptor.
class LiveDirectory : public Directory {
 public:
  LiveDirectory(UniqueFd directory, std::string database, FileId file);
  // Regular files alone: the database only where it is the file that was chosen, what else SQLite wants where it has
  // one name (a hard link could be anybody's) and is not the database itself.
  int open(const std::string& name, int flags, unsigned mode) noexcept override;
  bool status(const std::string& name, struct stat& out) noexcept override;
  bool may(const std::string& name, int access) noexcept override;
  // Never, but for the journal where that was allowed.
  bool remove(const std::string& name) noexcept override;
  // From now on SQLite may remove the database's journal, as it does at the end of a transaction, and have changes of
  // names synchronised; and a database that has several names is not opened: another one may be somebody else's.
  void allow_journal() noexcept { m_writes = true; }
  // A descriptor of the directory to synchronise it by, the caller's to close; -1 where nobody writes.
  int directory_to_sync() const noexcept;
  // Makes changes of names durable; false, and errno, where that fails.
  bool sync() const noexcept;

  const std::string& database() const noexcept { return m_database; }
  std::string beside(const char* suffix) const { return m_database + suffix; }
  bool may_add_files() const noexcept;
  gid_t group_of_new_files() const noexcept;
  // The descriptors that SQLite opened last, -1 where it did not.
  int database_fd() const noexcept { return m_database_fd; }
  int log_fd() const noexcept { return m_log_fd; }

 private:
  bool is_acceptable(const std::string& name, const struct stat& status) const noexcept;

  UniqueFd m_directory;
  std::string m_database;
  FileId m_file;
  bool m_writes = false;
  int m_database_fd = -1;
  int m_log_fd = -1;
  // Closing a descriptor drops all locks that the process has on its file, and what was refused may be any file.
  std::vector<UniqueFd> m_refused;
};

// For copies: its files have no names, and go with it.
class CopyDirectory : public Directory {
 public:
  // make: an empty file, open for reading and writing; -1 and errno where there is none.
  explicit CopyDirectory(std::function<int()> make) : m_make(std::move(make)) {}
  int open(const std::string& name, int flags, unsigned mode) noexcept override;
  bool status(const std::string& name, struct stat& out) noexcept override;
  bool may(const std::string& name, int access) noexcept override;
  bool remove(const std::string& name) noexcept override;

 private:
  std::function<int()> m_make;
  std::map<std::string, UniqueFd> m_files;
};

// One file that came as a descriptor, for reading alone.
class GivenFile : public Directory {
 public:
  GivenFile(std::string name, UniqueFd file) : m_name(std::move(name)), m_file(std::move(file)) {}
  int open(const std::string& name, int flags, unsigned mode) noexcept override;
  bool status(const std::string& name, struct stat& out) noexcept override;
  bool may(const std::string& name, int access) noexcept override;
  // Never.
  bool remove(const std::string& name) noexcept override;

 private:
  std::string m_name;
  UniqueFd m_file;
};

// While one lives, what SQLite in this process reads of files is told, a MiB or more at a time. One at a time; told
// must not throw, and outlives it.
class ReadWatch {
 public:
  explicit ReadWatch(const std::function<void(std::uint64_t bytes)>& told) noexcept;
  ReadWatch(const ReadWatch&) = delete;
  ReadWatch& operator=(const ReadWatch&) = delete;
  ~ReadWatch();
};

// From now on SQLite in this process has these alone; null: not that one. To be called before its first connection and
// between two.
void give_directories_to_sqlite(Directory* live, Directory* copies);

}  // namespace cairn::sqlite
