#include "util/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace cairn {

std::size_t utf8_sequence_length(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  } else {
    return 0;
  }
  if (text.size() < length) return 0;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return length;
}

bool is_valid_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    // Most text is ASCII: eight bytes at once.
    std::uint64_t eight = 0;
    if (text.size() >= sizeof eight) {
      std::memcpy(&eight, text.data(), sizeof eight);
      if ((eight & 0x8080808080808080) == 0) {
        text.remove_prefix(sizeof eight);
        continue;
      }
    }
    const std::size_t n = utf8_sequence_length(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

char32_t utf8_code_point(std::string_view sequence) noexcept {
  const auto first = static_cast<unsigned char>(sequence.front());
  if (sequence.size() == 1) return first;
  char32_t c = first & (0xffU >> (sequence.size() + 1));
  for (const char next : sequence.substr(1)) c = c << 6 | (static_cast<unsigned char>(next) & 0x3fU);
  return c;
}

bool is_unprintable(char32_t c) noexcept {
  if (c >= 0x20 && c < 0x7f) return false;
  struct Range {
    char32_t first;
    char32_t last;
  };
  static constexpr std::array<Range, 27> k_ranges{{
      {0x0000, 0x001f},    // C0
      {0x007f, 0x009f},    // DEL and C1, which some terminals act on
      {0x00ad, 0x00ad},    // soft hyphen
      {0x034f, 0x034f},    // combining grapheme joiner
      {0x0600, 0x0605},    // Arabic number signs
      {0x061c, 0x061c},    // Arabic letter mark
      {0x06dd, 0x06dd},    // Arabic end of ayah
      {0x070f, 0x070f},    // Syriac abbreviation mark
      {0x0890, 0x0891},    // Arabic currency marks
      {0x08e2, 0x08e2},    // Arabic disputed end of ayah
      {0x115f, 0x1160},    // Hangul fillers
      {0x17b4, 0x17b5},    // Khmer inherent vowels
      {0x180b, 0x180f},    // Mongolian variants and vowel separator
      {0x200b, 0x200f},    // zero width, joiners, marks of direction
      {0x2028, 0x202e},    // separators of lines and paragraphs; embeddings and overrides of direction
      {0x2060, 0x206f},    // invisible operators, isolates, deprecated ones
      {0x3164, 0x3164},    // Hangul filler
      {0xfdd0, 0xfdef},    // no characters
      {0xfeff, 0xfeff},    // byte order mark
      {0xffa0, 0xffa0},    // Hangul filler of half width
      {0xfff0, 0xfffb},    // ignorable ones; interlinear annotation
      {0x110bd, 0x110bd},  // Kaithi number signs
      {0x110cd, 0x110cd}, {0x13430, 0x1343f},  // Egyptian format controls
      {0x1bca0, 0x1bca3},                      // shorthand format controls
      {0x1d173, 0x1d17a},                      // musical beams and slurs
      {0xe0000, 0xe0fff},                      // tags, more selectors of variants
  }};
  if ((c & 0xfffe) == 0xfffe) return true;  // the last two of each plane are no characters
  const auto at = std::upper_bound(k_ranges.begin(), k_ranges.end(), c,
                                   [](char32_t value, const Range& range) { return value < range.first; });
  return at != k_ranges.begin() && c <= std::prev(at)->last;
}

}  // namespace cairn
