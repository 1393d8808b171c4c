// How status tells people and monitors what it found: a table, JSON, the form of monitoring plugins, Prometheus.
// Pure, but for where the text is put.
#pragma once

#include "engine/status/series_status.hpp"
#include "util/error.hpp"
#include "util/exit_status.hpp"
#include "util/json.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace cairn {

// The report on one store: its series, or why it could not be looked at.
struct StoreStatus {
  std::string name;  // as the configuration or the command line has it
  std::vector<SeriesStatus> series;
  std::optional<Error> failure;
};

struct StatusReport {
  Time at;  // by this host's clock
  std::vector<StoreStatus> stores;
};

// The gravest of it: failures of stores before stale series.
ExitStatus status_of(const StatusReport& report);

enum class Growth { hidden, shown };  // a diagram in block characters, for terminals that show UTF-8
void print_status_table(std::ostream& to, const StatusReport& report, Growth growth);
// Members without the braces.
void write_status_members(JsonWriter& to, const StatusReport& report);
// One line, then one for each series or store that is not well; "|" and performance data (ages in seconds) end the
// first. Monitoring Plugins Development Guidelines: plugin output.
std::string status_for_plugins(const StatusReport& report);
// The exit status that those guidelines ask for: 0 OK, 2 CRITICAL where a series is stale, 3 UNKNOWN where a store
// could not be looked at and nothing is stale.
int plugin_status(const StatusReport& report);
// Prometheus' text format 0.0.4, each metric with its help.
std::string status_for_prometheus(const StatusReport& report);

// Eight heights, the largest value the full one; nothing for no values.
std::string sparkline(const std::vector<std::uint64_t>& values);

}  // namespace cairn
