// The page that shows how stores stand: what is stale, what was proven when, what grows, what retention takes. Pure.
#pragma once

#include "engine/status/series_status.hpp"
#include "util/error.hpp"
#include "util/time.hpp"

#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct ReportSnapshot {
  SnapshotSeen seen;
  std::vector<std::string> reasons;  // why retention keeps it, or does not
  bool goes = false;                 // at the next prune
};

struct ReportDrill {
  Time time;
  bool passed = true;
  Nanoseconds recovery{};
};

struct ReportSeries {
  SeriesStatus status;
  std::vector<ReportSnapshot> snapshots;  // ascending by cut point
  std::vector<ReportDrill> drills;        // ascending by time
  bool has_policy = false;                // a retention rule keeps something; else nothing is ever removed
};

struct ReportStore {
  std::string name;
  std::vector<ReportSeries> series;
  std::optional<Error> failure;  // it could not be looked at
};

struct ReportFacts {
  Time made;  // by this host's clock
  std::string host;
  std::string version;
  std::vector<ReportStore> stores;
};

// One page that refers to nothing, is read without scripts, light or dark as the reader's system is, and whose size
// grows with the series and not with their snapshots.
std::string report_html(const ReportFacts& facts);

}  // namespace cairn
