// How a series stands in one store: which snapshot it would be restored from, and whether that one is recent enough.
// Pure, and judged by what the store's listing and heads say alone, so that any host can watch.
//
// Room engine/status: judges; reads no object and writes nothing.
#pragma once

#include "codec/digest.hpp"
#include "engine/choose/dated_ahead.hpp"
#include "repo/manifest_store.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

// One snapshot, as far as it matters here.
struct SnapshotSeen {
  Digest id;
  Time cut_point;
  bool trusted = true;
  bool incomplete = false;
  bool doubtful = false;      // emptied or shrunk: see Record::doubt
  bool future_dated = false;  // a clock that was ahead wrote the cut point
  bool pinned = false;
  // Of what it holds; nothing where it is sealed and no key at hand opens it.
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> stored_bytes;  // by the run that took it

  // Whether somebody who restores the series could rely on it.
  bool counts() const noexcept { return trusted && !incomplete && !doubtful && !future_dated; }
};

SnapshotSeen seen(const SnapshotInfo& snapshot, Ahead ahead);

enum class Freshness {
  fresh,     // the newest recovery point is younger than the limit
  stale,     // it is older, or there is none
  unjudged,  // nobody set a limit, and there is a recovery point
};
// "fresh", "stale", "unjudged".
const char* freshness_name(Freshness freshness) noexcept;

// The newest drill of a series that counts, whatever snapshot it was of.
struct DrillSeen {
  Digest id;
  Time time;
  bool passed = true;
  Nanoseconds recovery{};
};

struct SeriesStatus {
  std::string series;
  Freshness freshness = Freshness::unjudged;
  std::optional<Nanoseconds> max_age;
  // The newest recovery point, and how old its cut point is. Never negative: a clock that is a little ahead is no
  // youth.
  std::optional<SnapshotSeen> newest;
  Nanoseconds age{};
  std::uint64_t recovery_points = 0;
  // Those that are none, by the gravest reason of each.
  std::uint64_t untrusted = 0;
  std::uint64_t future_dated = 0;
  std::uint64_t doubtful = 0;
  std::uint64_t incomplete = 0;
  // Of these, how many are newer than the newest recovery point: something has gone wrong since.
  std::uint64_t passed_over = 0;
  std::uint64_t pinned = 0;
  // The bytes that the runs of the newest recovery points stored, oldest first: as many as k_growth_points, and only
  // where all of them can be opened.
  std::vector<std::uint64_t> growth;
  std::optional<DrillSeen> drill;           // left to the caller
  std::optional<Nanoseconds> max_recovery;  // that a restore may take; the same
};
inline constexpr std::size_t k_growth_points = 12;

// snapshots: of the series in that store, each id once, in any order; none: the series was never captured there.
// Recovery points are what counts(). A series without one is stale, whether or not there is a limit.
SeriesStatus series_status(std::string series, std::vector<SnapshotSeen> snapshots, std::optional<Nanoseconds> max_age,
                           Time now);

// Why it is stale, or what else somebody who looks at it should know: "newest is 2 d 3 h old, limit 1 d; 3 newer are
// incomplete". Empty where all is well.
std::string remark(const SeriesStatus& status);

}  // namespace cairn
