#include "repo/extent.hpp"

#include <iterator>

#include <fmt/compile.h>
#include <fmt/format.h>

namespace cairn {

void append_extent(std::vector<Extent>& to, const Extent& e) {
  if (!to.empty()) {
    Extent& last = to.back();
    if (last.is_hole() && e.is_hole()) {
      last.hole += e.hole;
      return;
    }
    if (!last.is_hole() && !e.is_hole() && last.pack == e.pack && last.first + last.count == e.first) {
      last.count += e.count;
      return;
    }
  }
  to.push_back(e);
}

void append_extents_text(std::string& out, const std::vector<Extent>& extents) {
  out += '[';
  bool first = true;
  for (const auto& e : extents) {
    if (!first) out += ',';
    first = false;
    if (e.is_hole()) {
      fmt::format_to(std::back_inserter(out), FMT_COMPILE("[{}]"), e.hole);
    } else {
      fmt::format_to(std::back_inserter(out), FMT_COMPILE("[\"{:016x}\",{},{}]"), e.pack, e.first, e.count);
    }
  }
  out += ']';
}

}  // namespace cairn
