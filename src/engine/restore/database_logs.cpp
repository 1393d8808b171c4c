#include "engine/restore/database_logs.hpp"

#include "capture/sqlite/companions.hpp"
#include "engine/restore/database_in_use.hpp"
#include "engine/restore/target_names.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/own_directory.hpp"

#include <cerrno>
#include <cstdio>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

constexpr std::size_t k_name_max = 255;

}  // namespace

bool DatabaseLogs::set_aside(const std::string& name, int staged_directory, const std::string& staged_name,
                             const std::string& keep_as) {
  const auto staged = status_at(staged_directory, staged_name);
  if (!staged || !S_ISREG(staged->st_mode)) return false;
  bool is_database = is_sqlite_file(staged_directory, staged_name);
  for (const char* suffix : {sqlite::k_log, sqlite::k_journal, sqlite::k_index}) {
    const std::string log = name + suffix;
    if (log.size() > k_name_max || !status_at(m_directory, log) || status_at(staged_directory, log)) continue;
    // An encrypted database has no magic, but its log has. An index of a log (-shm) has none: it goes with the log.
    if (!is_database && !is_sqlite_log_file(m_directory, log)) continue;
    is_database = true;
    const std::string tail = ".cairn-aside-" + random_name();
    const std::string aside = keep_as.empty() ? log.substr(0, k_name_max - tail.size()) + tail : keep_as + suffix;
    if (rename_new_at(m_directory, log, m_directory, aside) != 0) {
      const int error = errno;
      put_back();
      throw_errno("rename", log, error);
    }
    m_renamed.push_back({log, aside});
  }
  return !m_renamed.empty();
}

void DatabaseLogs::put_back() const {
  for (const Renamed& renamed : m_renamed) {
    if (::renameat(m_directory, renamed.aside.c_str(), m_directory, renamed.log.c_str()) == 0) continue;
    m_reporter.warning(
        fmt::format("unable to rename {} back to {}: {}; the database beside it needs it under that name",
                    quote(renamed.aside), quote(renamed.log), errno_text(errno)));
  }
}

void DatabaseLogs::remove_or_tell(const std::function<bool(const std::string& log)>& gone) {
  std::erase_if(m_renamed, [&](const Renamed& renamed) {
    return gone(renamed.log) && ::unlinkat(m_directory, renamed.aside.c_str(), 0) == 0;
  });
  tell();
}

void DatabaseLogs::tell() const {
  for (const Renamed& renamed : m_renamed) {
    m_reporter.warning(fmt::format("{} belonged to the database that was there before: it is now {}",
                                   quote(renamed.log), quote(renamed.aside)));
  }
}

}  // namespace cairn
