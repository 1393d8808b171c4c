#include "engine/restore/live_estimate.hpp"

#include "util/units.hpp"

#include <algorithm>

namespace cairn {

namespace {

// A disk on which nothing else happens writes faster, a slow one or one that is shared may not.
constexpr std::uint64_t k_assumed_rate = 100 * k_mib;
// "Database File Format", 3 and 4: of the journal, each page has its number and a checksum; of the log, a header.
constexpr std::uint64_t k_beside_journal_page = 8;
constexpr std::uint64_t k_beside_log_page = 24;
constexpr std::uint64_t k_log_header = 32;

}  // namespace

LiveEstimate estimate_live(std::uint64_t bytes, std::uint32_t page_size, std::uint64_t there, bool has_log) {
  LiveEstimate estimate;
  estimate.has_log = has_log;
  const std::uint64_t page = std::max(page_size, 512U);
  if (has_log) {
    estimate.log_bytes = k_log_header + (bytes + page - 1) / page * (page + k_beside_log_page);
  } else {
    // Of pages of the old one: all that are overwritten, and at most all.
    estimate.log_bytes = there + (there + page - 1) / page * k_beside_journal_page;
  }
  estimate.growth = bytes - std::min(bytes, there);
  estimate.bytes_written = has_log ? estimate.log_bytes : estimate.log_bytes + bytes;
  estimate.bytes_per_second = k_assumed_rate;
  estimate.wait = std::chrono::seconds{estimate.bytes_written / k_assumed_rate + 1};
  return estimate;
}

}  // namespace cairn
