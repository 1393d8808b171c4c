// The files of a database by their suffixes: "" itself, and what SQLite keeps beside it ("Temporary Files Used By
// SQLite", sqlite.org).
#pragma once

#include <array>
#include <fcntl.h>
#include <optional>
#include <string>

#include <sys/stat.h>

namespace cairn::sqlite {

inline constexpr const char* k_log = "-wal";
inline constexpr const char* k_journal = "-journal";
inline constexpr const char* k_index = "-shm";

// Files that may hold a part of the committed state, beside the database.
inline constexpr std::array k_logs{k_log, k_journal};
// The files that are the committed state.
inline constexpr std::array k_files_of_state{"", k_log, k_journal};
inline constexpr std::array k_companions{k_journal, k_index, k_log};

// Of one of them in an open directory; a link is not followed. Nothing, and errno set, where that cannot be told.
inline std::optional<struct stat> status_beside(int directory, const std::string& database,
                                                const char* suffix) noexcept {
  struct stat status {};
  if (::fstatat(directory, (database + suffix).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return status;
}

}  // namespace cairn::sqlite
