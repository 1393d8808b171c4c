// What a restore into a live database costs those who use it, as far as can be told before it. Pure.
#pragma once

#include <chrono>
#include <cstdint>

namespace cairn {

struct LiveEstimate {
  bool has_log = false;             // it is in WAL mode; else a rollback journal comes for the time
  std::uint64_t log_bytes = 0;      // that come: of the log, which stays until its users copy it, or of the journal
  std::uint64_t growth = 0;         // of the main file
  std::uint64_t bytes_written = 0;  // while others wait
  // At this rate, which is assumed: to measure it something would have to be written.
  std::uint64_t bytes_per_second = 0;
  std::chrono::seconds wait{};  // of writers; without a log of readers, too
};

// bytes, page_size: of the image; there: bytes of the database now, and whether it has a log.
LiveEstimate estimate_live(std::uint64_t bytes, std::uint32_t page_size, std::uint64_t there, bool has_log);

}  // namespace cairn
