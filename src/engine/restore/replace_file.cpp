#include "engine/restore/replace_file.hpp"

#include "engine/restore/old_database.hpp"
#include "engine/restore/target_names.hpp"
#include "util/error.hpp"
#include "util/own_directory.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn {

namespace {

// The answer of renameat2(2) and link(2) where the file system, or a rule of the system, knows no such thing.
bool is_not_supported(int error) noexcept {
  return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == EPERM || error == EMLINK;
}

int exchange(int from_directory, const std::string& from, int directory, const std::string& name) noexcept {
  return ::renameat2(from_directory, from.c_str(), directory, name.c_str(), RENAME_EXCHANGE);
}

class OneName {
 public:
  OneName(const Replacement& what, const std::optional<struct stat>& there) : m_what(what) {
    if (there) m_old = id_of(*there);
  }

  void change() {
    if (!m_old) return give_name();
    if (!m_what.keep_as.empty()) return keep_and_replace();
    // Not only where there is no exchange: an overlay copies the old one first, and may lack the space.
    if (exchange(m_what.from_directory, m_what.from, m_what.directory, m_what.name) != 0) return rename_over();
    if (id_at(m_what.from_directory, m_what.from) == m_old) return;
    exchange(m_what.from_directory, m_what.from, m_what.directory, m_what.name);
    throw_replaced(m_what.shown);
  }

  // The old one, where an exchange gave it the staged name. What cannot be removed goes with staging.
  void drop_old() const {
    const auto left = id_at(m_what.from_directory, m_what.from);
    if (m_old && left == m_old) ::unlinkat(m_what.from_directory, m_what.from.c_str(), 0);
  }

 private:
  [[noreturn]] void fail(const char* verb) const { throw_errno(verb, m_what.shown, errno); }

  void give_name() const {
    if (rename_new_at(m_what.from_directory, m_what.from, m_what.directory, m_what.name) == 0) return;
    if (errno == EEXIST) throw_appeared(m_what.shown);
    fail("create");
  }

  void rename_over() const {
    if (id_at(m_what.directory, m_what.name) != m_old) throw_replaced(m_what.shown);
    const int result = ::renameat(m_what.from_directory, m_what.from.c_str(), m_what.directory, m_what.name.c_str());
    if (result != 0) fail("replace");
  }

  void keep_and_replace() const {
    const std::string& kept = m_what.keep_as;
    const bool linked = id_at(m_what.directory, kept) == m_old ||
                        ::linkat(m_what.directory, m_what.name.c_str(), m_what.directory, kept.c_str(), 0) == 0;
    if (!linked) {
      if (!is_not_supported(errno)) throw_errno("create", kept, errno);
      return keep_by_exchange();
    }
    try {
      if (id_at(m_what.directory, kept) != m_old) throw_replaced(m_what.shown);
      sync_names(m_what.directory, m_what.shown);
      rename_over();
    } catch (...) {
      ::unlinkat(m_what.directory, kept.c_str(), 0);
      throw;
    }
  }

  void keep_by_exchange() const {
    const std::string& kept = m_what.keep_as;
    if (rename_new_at(m_what.from_directory, m_what.from, m_what.directory, kept) != 0) {
      throw_errno("create", kept, errno);
    }
    int error = 0;
    if (exchange(m_what.directory, kept, m_what.directory, m_what.name) != 0) {
      error = errno;
    } else if (id_at(m_what.directory, kept) != m_old) {
      exchange(m_what.directory, kept, m_what.directory, m_what.name);
      error = ESTALE;
    }
    if (error == 0) return;
    rename_new_at(m_what.directory, kept, m_what.from_directory, m_what.from);
    if (error == ESTALE) throw_replaced(m_what.shown);
    if (!is_not_supported(error)) throw_errno("replace", m_what.shown, error);
    throw Error(
        ErrorKind::failed,
        fmt::format("unable to keep {}: the file system knows neither links nor an exchange", quote(m_what.shown)),
        "copy it yourself, and restore without --keep-old");
  }

  const Replacement& m_what;
  std::optional<FileId> m_old;
};

}  // namespace

void change_name(const Replacement& what, DatabaseLogs& logs, Reporter& reporter, const NameChange& change) {
  const auto there = status_at(what.directory, what.name);
  if (!there && errno != ENOENT) throw_errno("stat", what.shown, errno);
  if (there && S_ISDIR(there->st_mode)) throw_replaced(what.shown);
  const auto old = there ? OldDatabase::settle(what.directory, what.name, *there, what.shown, reporter) : nullptr;
  bool changed = old && old->clear_logs();
  changed = logs.set_aside(what.name, what.from_directory, what.from, there ? what.keep_as : "") || changed;
  try {
    // Before the main file changes: else a crash could leave the new one beside a log of the old.
    if (changed) sync_names(what.directory, what.shown);
    change(there);
  } catch (...) {
    logs.put_back();
    throw;
  }
  if (old || changed || !what.keep_as.empty()) sync_names(what.directory, what.shown);
  if (old) old->warn_of_late_users();
}

void replace_file(const Replacement& what, Reporter& reporter) {
  DatabaseLogs logs{what.directory, reporter};
  std::optional<OneName> name;
  change_name(what, logs, reporter, [&](const std::optional<struct stat>& there) {
    name.emplace(what, there);
    name->change();
  });
  logs.tell();
  if (!what.leave_staged) name->drop_old();
}

bool can_exchange(int directory, const std::string& shown) {
  const std::string names[] = {".tmp-" + random_name(), ".tmp-" + random_name()};
  for (const std::string& name : names) {
    if (::mkdirat(directory, name.c_str(), 0700) != 0) throw_errno("create directory", shown, errno);
  }
  const bool can = exchange(directory, names[0], directory, names[1]) == 0;
  for (const std::string& name : names) ::unlinkat(directory, name.c_str(), AT_REMOVEDIR);
  return can;
}

}  // namespace cairn
