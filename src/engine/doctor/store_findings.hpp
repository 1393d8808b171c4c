// What a store lets this host do, and how it stands with those who depend on it.
#pragma once

#include "engine/doctor/finding.hpp"
#include "repo/descriptor.hpp"
#include "store/object_store.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace cairn {

// How a host uses a store, by its configuration.
struct StoreRole {
  bool writes = false;  // sources are captured into it or pushed to it
  bool prunes = false;
};
// Whether something may be put, to see whether that is allowed.
enum class Trial { no, yes };

// Asks the store: its clock, and by a tiny object below probe/ whether this host may put, read and remove. now: this
// host's. What the store refuses is a finding; nothing is thrown but Error(interrupted).
Findings examine_store(ObjectStore& store, const std::string& subject, const Descriptor& descriptor, StoreRole role,
                       Trial trial, Time now);

// The newest snapshot of a series that can be relied on, in the store that it is captured into, beside another store.
// behind: how many of the one's snapshots the other does not have.
Finding judge_push(const std::string& subject, const std::string& from, const std::string& to, std::uint64_t behind);

// newest: when the series was drilled last, and whether it passed. every: as configured. now: this host's.
struct LastDrill {
  Time time;
  bool passed = true;
};
Finding judge_drill(const std::string& subject, const std::string& series, const std::optional<LastDrill>& last,
                    std::optional<Nanoseconds> every, Time now);

}  // namespace cairn
