// Compares what a drill found with what the last one of the series found: what has gone, and what is fewer. Pure.
#pragma once

#include "repo/drill_record.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// Shares from 0 to 1 of what was there.
struct DrillLimits {
  double max_row_drop = 0.5;   // of a table's rows, and of the entries and files of a tree
  double max_size_drop = 0.5;  // of the bytes of a dump or a tree
  // Differences from the last drill are told, and fail nothing: somebody has looked at them.
  bool accept = false;
};

// The checks "keys", "schema", "rows", "size" and "age" of each thing that this drill or the last one found. before:
// null where there is no drill to compare with; then only what is wrong in itself fails.
std::vector<DrillCheck> compare_inventories(const DrillRecord& now, const DrillRecord* before,
                                            const DrillLimits& limits);

// "integrity of app.db".
std::string check_name(std::string_view what, std::string_view path);

}  // namespace cairn
