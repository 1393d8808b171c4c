// A database that is about to be replaced, held by a child process (reader_main.hpp) with its owner's rights.
#pragma once

#include "capture/sqlite/reader_process.hpp"
#include "capture/sqlite/readers.hpp"

#include <memory>
#include <string>

#include <sys/types.h>

namespace cairn::sqlite {

// Whose rights a process needs that writes to it: its owner's where this one is root, else this one's own. Throws Error
// where nobody should write to it so.
Identity identity_for_writing(const DatabasePlace& place);

// One file that is the whole committed state, and SQLite's exclusive lock on it: nobody can open it as a database,
// whoever tries is told that it is busy. As long as the object lives. Used by one thread at a time.
class SettledDatabase {
 public:
  // Why it was refused. The database is as whole as it was: SQLite may have recovered it, as whoever opens it next
  // would have.
  struct Refusal {
    enum class Cause {
      busy,        // somebody else uses it
      no_space,    // for what the log holds in the main file
      impossible,  // damaged, kept by a fork of SQLite, not to be written by its owner, or no child can be had
    };
    Cause cause = Cause::impossible;
    std::string message;
  };

  // settled is null where it was refused. Throws Error(interrupted) alone.
  struct Attempt;
  static Attempt settle(const DatabasePlace& place);

  // Of the child, which has the database open.
  pid_t holder() const noexcept { return m_child->pid(); }

 private:
  explicit SettledDatabase(std::unique_ptr<ReaderProcess> child) : m_child(std::move(child)) {}
  std::unique_ptr<ReaderProcess> m_child;
};

struct SettledDatabase::Attempt {
  std::unique_ptr<SettledDatabase> settled;
  Refusal refusal;
};

}  // namespace cairn::sqlite
