#include "engine/restore/restore_estimate.hpp"

#include "util/units.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cairn {

namespace {

// A few requests tell how long an answer takes, not how much comes through.
constexpr std::uint64_t k_enough = 4 * k_mib;
// A line of 100 Mbit/s.
constexpr std::uint64_t k_assumed_rate = 12 * k_mib;

}  // namespace

RestoreEstimate estimate_restore(std::uint64_t bytes_to_fetch, std::uint64_t fetched,
                                 std::chrono::nanoseconds elapsed) {
  RestoreEstimate estimate{k_assumed_rate, false, {}};
  const double seconds = std::chrono::duration<double>(elapsed).count();
  if (fetched >= k_enough && seconds > 0) {
    estimate.measured = true;
    // Nothing is as fast as a clock that stood still says.
    const double rate = std::clamp(static_cast<double>(fetched) / seconds, 1.0, static_cast<double>(100 * k_gib));
    estimate.bytes_per_second = static_cast<std::uint64_t>(rate);
  }
  estimate.duration = std::chrono::seconds{bytes_to_fetch / estimate.bytes_per_second + (bytes_to_fetch != 0 ? 1 : 0)};
  return estimate;
}

std::optional<std::string> warning_of_grace(const RestoreEstimate& estimate, std::chrono::nanoseconds grace) {
  if (estimate.duration <= grace / 2) return std::nullopt;
  return fmt::format(
      "this restore takes about {}, more than half of the grace of prune ({}): pin the snapshot first, or packs "
      "that it needs may be deleted meanwhile",
      format_duration(estimate.duration), format_duration(grace));
}

}  // namespace cairn
