#include "engine/status/series_status.hpp"

#include "util/units.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cairn {

namespace {

void count_gravest(const SnapshotSeen& snapshot, SeriesStatus& status) {
  if (!snapshot.trusted) {
    ++status.untrusted;
  } else if (snapshot.future_dated) {
    ++status.future_dated;
  } else if (snapshot.doubtful) {
    ++status.doubtful;
  } else {
    ++status.incomplete;
  }
}

// Newest last, as in a diagram.
std::vector<std::uint64_t> growth_of(const std::vector<SnapshotSeen>& newest_first) {
  std::vector<std::uint64_t> out;
  for (const auto& snapshot : newest_first) {
    if (out.size() == k_growth_points) break;
    if (!snapshot.counts()) continue;
    if (!snapshot.stored_bytes) return {};
    out.push_back(*snapshot.stored_bytes);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

Freshness judge(const SeriesStatus& status) {
  if (!status.newest) return Freshness::stale;
  if (!status.max_age) return Freshness::unjudged;
  return status.age > *status.max_age ? Freshness::stale : Freshness::fresh;
}

}  // namespace

SnapshotSeen seen(const SnapshotInfo& snapshot, Ahead ahead) {
  SnapshotSeen out;
  out.id = snapshot.id;
  out.cut_point = snapshot.record.cut_point;
  out.trusted = snapshot.trusted;
  out.incomplete = snapshot.record.incomplete;
  out.doubtful = snapshot.record.doubt != Doubt::none;
  out.future_dated = ahead != Ahead::no;
  out.pinned = snapshot.pinned;
  if (!snapshot.closed) {
    out.bytes = snapshot.facts.stats.bytes;
    out.stored_bytes = snapshot.facts.stats.stored_bytes;
  }
  return out;
}

const char* freshness_name(Freshness freshness) noexcept {
  switch (freshness) {
    case Freshness::fresh:
      return "fresh";
    case Freshness::stale:
      return "stale";
    case Freshness::unjudged:
      return "unjudged";
  }
  return "unjudged";
}

SeriesStatus series_status(std::string series, std::vector<SnapshotSeen> snapshots, std::optional<Nanoseconds> max_age,
                           Time now) {
  std::sort(snapshots.begin(), snapshots.end(), [](const SnapshotSeen& a, const SnapshotSeen& b) {
    return std::tie(a.cut_point, a.id) > std::tie(b.cut_point, b.id);
  });
  SeriesStatus status;
  status.series = std::move(series);
  status.max_age = max_age;
  for (const auto& snapshot : snapshots) {
    if (snapshot.pinned) ++status.pinned;
    if (snapshot.counts()) {
      ++status.recovery_points;
      if (!status.newest) status.newest = snapshot;
    } else {
      count_gravest(snapshot, status);
      if (!status.newest) ++status.passed_over;
    }
  }
  if (status.newest) status.age = std::max(elapsed(status.newest->cut_point, now), Nanoseconds{0});
  status.growth = growth_of(snapshots);
  status.freshness = judge(status);
  return status;
}

std::string remark(const SeriesStatus& status) {
  std::vector<std::string> parts;
  if (!status.newest) {
    parts.emplace_back(status.passed_over == 0 ? "no snapshot" : "no snapshot that could be relied on");
  } else if (status.freshness == Freshness::stale) {
    parts.push_back(
        fmt::format("newest is {} old, limit {}", format_duration(status.age), format_duration(*status.max_age)));
  }
  if (status.passed_over != 0) {
    std::vector<std::string> reasons;
    const auto add = [&](std::uint64_t count, const char* what) {
      if (count != 0) reasons.emplace_back(what);
    };
    add(status.untrusted, "not trusted");
    add(status.future_dated, "future-dated");
    add(status.doubtful, "in doubt");
    add(status.incomplete, "incomplete");
    parts.push_back(fmt::format("{} {} not relied on ({})", status.passed_over,
                                status.newest             ? "newer"
                                : status.passed_over == 1 ? "is"
                                                          : "are",
                                fmt::join(reasons, ", ")));
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace cairn
