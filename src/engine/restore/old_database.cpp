#include "engine/restore/old_database.hpp"

#include "capture/sqlite/companions.hpp"
#include "engine/restore/database_in_use.hpp"
#include "util/beneath.hpp"
#include "util/error.hpp"
#include "util/held_files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

#include <fmt/format.h>

namespace cairn {

namespace {

using Cause = sqlite::SettledDatabase::Refusal::Cause;

// As in check_database(): somebody came after that.
[[noreturn]] void refuse_busy(const std::string& shown, const std::string& user) {
  throw Error(ErrorKind::busy, fmt::format("unable to replace {}: {} has the database open", quote(shown), user),
              "stop it first: a database that is replaced under a running program is lost to it");
}

bool has_logs(int directory, const std::string& name) {
  return std::any_of(sqlite::k_logs.begin(), sqlite::k_logs.end(), [&](const char* suffix) {
    const auto status = sqlite::status_beside(directory, name, suffix);
    return status && status->st_size != 0;
  });
}

}  // namespace

std::unique_ptr<OldDatabase> OldDatabase::settle(int directory, const std::string& name, const struct stat& there,
                                                 const std::string& shown, Reporter& reporter) {
  if (!S_ISREG(there.st_mode) || !is_sqlite_file(directory, name)) return nullptr;
  auto attempt = sqlite::SettledDatabase::settle({directory, name, cairn::id_of(there), shown});
  if (attempt.settled) {
    std::unique_ptr<OldDatabase> old{new OldDatabase{directory, name, there, shown, reporter}};
    old->m_settled = std::move(attempt.settled);
    // One that does nothing in rollback mode holds no lock.
    if (const pid_t user = old->other_user()) refuse_busy(shown, describe_process(user));
    return old;
  }
  const auto& refusal = attempt.refusal;
  if (refusal.cause == Cause::busy) {
    refuse_busy(shown, find_database_user(directory, name).value_or("another process"));
  }
  if (refusal.cause == Cause::no_space) {
    throw Error(ErrorKind::failed, fmt::format("unable to replace {}: {}", quote(shown), refusal.message),
                "what its log holds goes into the database before it is replaced: free space there");
  }
  if (has_logs(directory, name)) {
    reporter.warning(fmt::format(
        "{} and its log cannot be brought into one file before they are replaced, only one after the other: {}",
        quote(shown), refusal.message));
  }
  return nullptr;
}

pid_t OldDatabase::other_user() const {
  pid_t found = 0;
  for_each_held_file(HeldKinds::open, [&](const HeldFile& held) {
    if (held.file == m_id && held.pid != m_settled->holder()) found = held.pid;
  });
  return found;
}

// SQLite leaves a journal that it has done with, and has to keep, with zeros at its beginning.
bool OldDatabase::says_nothing(const std::string& log) const {
  if (is_sqlite_log_file(m_directory, log)) return true;
  const UniqueFd file{open_beneath(m_directory, log, O_RDONLY | O_NONBLOCK)};
  std::array<std::uint8_t, 8> head{};
  const ssize_t n = file ? retry_interrupted([&] { return ::pread(file.get(), head.data(), head.size(), 0); }) : -1;
  return n >= 0 && std::all_of(head.begin(), head.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool OldDatabase::clear_logs() const {
  bool removed = false;
  for (const char* suffix : sqlite::k_companions) {
    const auto status = sqlite::status_beside(m_directory, m_name, suffix);
    const std::string log = m_name + suffix;
    if (!status || !S_ISREG(status->st_mode)) continue;
    if (std::string_view{suffix} != sqlite::k_index && !says_nothing(log)) continue;
    if (::unlinkat(m_directory, log.c_str(), 0) != 0) throw_errno("remove", m_shown + suffix, errno);
    removed = true;
  }
  return removed;
}

void OldDatabase::warn_of_late_users() const {
  const pid_t user = other_user();
  if (user == 0) return;
  m_reporter.warning(
      fmt::format("{} opened {} in the moment in which it was replaced, and uses the old database: restart it at once",
                  describe_process(user), quote(m_shown)));
}

}  // namespace cairn
