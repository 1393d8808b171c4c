// Small charts over time as SVG, for a page that readers open without scripts. Pure.
#pragma once

#include "util/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

struct ChartPoint {
  Time at;
  double value = 0;  // not negative
  bool bad = false;  // drawn as something that went wrong
};

enum class ChartKind {
  bars,  // of points that fall together, the sum
  area,  // the last
  dots,  // each, up to a number
};

// A figure with a caption and the largest value, from the first point to the last; its size does not grow with theirs.
// text: how a value is written. limit: a line across; 0: none. Points ascend by time; none: a figure that says so.
std::string chart(ChartKind kind, std::string_view caption, const std::vector<ChartPoint>& points,
                  std::string (*text)(double), double limit = 0);

}  // namespace cairn
