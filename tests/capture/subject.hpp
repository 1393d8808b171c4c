// One capture, in a process of its own, at a moment that its kind makes hard.
#pragma once

#include "crew.hpp"
#include "ledger.hpp"

#include <array>
#include <cstdint>
#include <string>

#include <sys/types.h>

namespace cairn::hammer {

// The things that happen meanwhile.
enum class Kind : int {
  live,           // writers write, checkpointers checkpoint, some die
  slow,           // likewise, and between any two reads there are commits
  connections,    // likewise, and this process opens and closes other connections to the database
  backfilled,     // begun when the log is copied whole; then others restart it
  killed,         // everybody was killed in the middle of a transaction
  rested,         // nobody has the database open
  live_stranger,  // as another user, who may only read
  killed_stranger,
  rested_stranger,
};
inline constexpr std::array<const char*, 9> k_kind_names{"live",
                                                         "slow",
                                                         "own connections",
                                                         "log restarted",
                                                         "killed",
                                                         "rested",
                                                         "live, other user",
                                                         "killed, other user",
                                                         "rested, other user"};

enum class Plant {
  nothing,
  lost_locks,  // lets go of the database after the first read, and reads on
};

// An account of what a capture saw; it lies in shared memory.
struct Account {
  enum class End : int { none, image, busy, failed };
  std::atomic<End> end{End::none};
  std::array<char, 8> mode{};  // of the facts
  std::array<char, 200> error{};
  std::int64_t floor = 0;         // the image holds at least this commit
  std::int64_t ceiling = 0;       // and at most this one
  std::int64_t commits = 0;       // made between the first read and the last
  std::uint64_t checkpoints = 0;  // likewise
  bool restarted = false;         // the log was, likewise
  double seconds = 0;
};

// Captures the database into the file. The body of a child process; never throws what the capture throws, but notes it.
void capture_into(int image, const fs::path& database, Kind kind, Plant plant, Floor& floor, Account& account);

}  // namespace cairn::hammer
