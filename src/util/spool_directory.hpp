// Where a run puts what waits: finished packs until they are sent, lists too long for memory, copies of databases.
#pragma once

#include "util/file.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace cairn {

// The effect of a full spool: the capture goes on at the pace of the store, or ends.
enum class SpoolFull { stream, fail };

// How much may wait there. One pack always may.
struct SpoolLimit {
  std::uint64_t bytes = UINT64_MAX;
  SpoolFull full = SpoolFull::stream;
};

// A directory of this run alone (0700), gone with the object. It is locked as long as it is in use (flock(2)), so that
// others can tell what killed runs left behind.
class SpoolDirectory {
 public:
  // Makes parent if it is not there, and sweeps it (sweep_spools()) first. Throws Error, for root also where parent is
  // in another user's power (is_way_own()).
  explicit SpoolDirectory(const fs::path& parent);
  SpoolDirectory(const SpoolDirectory&) = delete;
  SpoolDirectory& operator=(const SpoolDirectory&) = delete;
  ~SpoolDirectory();
  const fs::path& path() const noexcept { return m_path; }

 private:
  fs::path m_path;
  UniqueFd m_parent;
  UniqueFd m_directory;  // locked
};

// Removes what killed runs of this user left in parent: directories that SpoolDirectory made, that nobody has locked
// and in which nothing was made or removed for longer than age. One that cannot be removed is left. Returns how many.
std::size_t sweep_spools(const fs::path& parent, std::chrono::nanoseconds age = std::chrono::hours{24});

}  // namespace cairn
