// A database that gets another state while others use it, through a child process (reader_main.hpp).
#pragma once

#include "capture/sqlite/readers.hpp"
#include "util/time.hpp"

#include <chrono>
#include <cstdint>
#include <functional>

namespace cairn::sqlite {

// What became of it.
struct LiveWritten {
  Nanoseconds blocked{0};       // so long nobody else could write; without a log, nor read
  std::uint64_t log_bytes = 0;  // that its -wal has now; 0: it has none
  bool log_copied = true;       // all of that is in the main file, too
};

// All pages of an image go into the database as one transaction, fully durable when this returns: its users see what
// was committed before, or the image, and are told that it is busy meanwhile (live_write.hpp says how). image: an open
// file that nobody writes, a whole database that is in rollback mode by its header. patience: how long to wait for the
// locks of others. told: called with the bytes of the image written since the last time; must not throw.
//
// The child has the rights of the database's owner (identity_for_writing()). Throws Error: busy where the locks were
// not to be had in time, usage where the image does not fit, interrupted, failed for all else. The database is then as
// it was committed before; only where the child died without a word it may be either, and the message says so.
LiveWritten write_live_database(const DatabasePlace& place, int image, std::chrono::milliseconds patience,
                                const std::function<void(std::uint64_t bytes)>& told);

}  // namespace cairn::sqlite
