#include "repo/extent.hpp"

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("extents: runs that go on are merged, others are not") {
  std::vector<Extent> list;
  append_extent(list, {1, 0, 2, 0});
  append_extent(list, {1, 2, 3, 0});
  append_extent(list, {1, 6, 1, 0});
  append_extent(list, {2, 7, 1, 0});
  append_extent(list, Extent::make_hole(10));
  append_extent(list, Extent::make_hole(20));
  append_extent(list, {2, 8, 1, 0});
  append_extent(list, {2, 8, 1, 0});
  CHECK(list == std::vector<Extent>{
                    {1, 0, 5, 0}, {1, 6, 1, 0}, {2, 7, 1, 0}, Extent::make_hole(30), {2, 8, 1, 0}, {2, 8, 1, 0}});
}

TEST_CASE("extents: exact text") {
  std::string text = "x";
  append_extents_text(text, {});
  CHECK(text == "x[]");
  text.clear();
  append_extents_text(text, {{0x0123456789abcdef, 0, 12, 0}, Extent::make_hole(4096), {0xf, 3, 1, 0}});
  CHECK(text == R"([["0123456789abcdef",0,12],[4096],["000000000000000f",3,1]])");
}
