#include "repo/extent_cursor.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("extent cursor: chunk by chunk, holes as a whole, in order") {
  ExtentCursor cursor{{{1, 5, 3, 0}, Extent::make_hole(4096), {2, 0, 1, 0}}};
  std::string seen;
  while (const auto step = cursor.next()) {
    CHECK((step->hole == 0 || step->hole == 4096));
    seen += step->hole != 0 ? "hole " : std::to_string(step->pack) + ":" + std::to_string(step->chunk) + " ";
    CHECK(cursor.ended() == (step->pack == 2));
  }
  CHECK(seen == "1:5 1:6 1:7 hole 2:0 ");
  CHECK_FALSE(cursor.next());
  CHECK(ExtentCursor{}.ended());
  CHECK_FALSE(ExtentCursor{}.next());
}
