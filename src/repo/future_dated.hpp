// The store's clock tells what a wrong clock wrote: an instant that lies further ahead than clocks differ.
#pragma once

#include "util/time.hpp"

#include <chrono>

namespace cairn {

// By how much an instant may lie ahead: more than an hour is no clock of a host that means well.
inline constexpr std::chrono::hours k_future_tolerance{1};

// Whether the instant lies further ahead than that of the time `at`: it displaces nothing, and means nothing to names.
inline bool is_future_dated(Time instant, Time at) noexcept {
  return shifted(instant, -k_future_tolerance) > at;
}

}  // namespace cairn
