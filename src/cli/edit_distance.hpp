// "Did you mean": the nearest of a few known words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// Insertions, deletions, substitutions and swaps of neighbours that make one of the other (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest word, if it is within a third of the word's length (at least one edit).
std::optional<std::string> closest(std::string_view word, const std::vector<std::string>& known);

}  // namespace cairn
