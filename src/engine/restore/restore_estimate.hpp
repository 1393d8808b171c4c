// How long a restore takes, as far as can be told before it. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace cairn {

struct RestoreEstimate {
  std::uint64_t bytes_per_second = 0;
  bool measured = false;  // else assumed
  std::chrono::seconds duration{};
};

// fetched, elapsed: what planning had from the store, and how long that took; where it is too little to tell a rate,
// one is assumed. What planning reads it reads one piece after the other, so a restore is faster rather than slower.
RestoreEstimate estimate_restore(std::uint64_t bytes_to_fetch, std::uint64_t fetched, std::chrono::nanoseconds elapsed);

// A warning where a prune may take what the restore needs: a restore only reads, so a prune does not know of it, and
// the grace alone keeps its packs. Nothing where the restore ends long before that.
std::optional<std::string> warning_of_grace(const RestoreEstimate& estimate, std::chrono::nanoseconds grace);

}  // namespace cairn
