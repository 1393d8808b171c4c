// The difference of two texts, line by line. Pure.
#pragma once

#include "util/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// As diff(1) and git tell them apart: whether a NUL is among the first 8000 bytes.
bool looks_binary(ByteView bytes) noexcept;

// So many lines of one text, from a line on (counted from 0), in place of so many of the other.
struct LineChange {
  std::size_t before = 0;
  std::size_t removed = 0;
  std::size_t after = 0;
  std::size_t added = 0;
  bool operator==(const LineChange&) const = default;
};

// A line ends behind its '\n'; the last one may have none.
std::vector<std::string_view> lines_of(std::string_view text);

// What makes `after` of `before`, in order, as few lines as may be (E. W. Myers, "An O(ND) Difference Algorithm and Its
// Variations", 1986), unless the texts differ in more lines than are worth comparing: then what lies between their
// equal beginnings and ends is one change.
std::vector<LineChange> compare_lines(const std::vector<std::string_view>& before,
                                      const std::vector<std::string_view>& after);

// In the form that diff -u prints and patch(1) takes, with three lines around each change; empty where the texts are
// equal. names: of the two headers, as they are printed.
std::string unified_diff(std::string_view before, std::string_view after, std::string_view before_name,
                         std::string_view after_name);

}  // namespace cairn
