// UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace cairn {

// Length in bytes of the valid sequence at the start of text, 0 where there is none (or text is empty).
std::size_t utf8_sequence_length(std::string_view text) noexcept;
bool is_valid_utf8(std::string_view text) noexcept;
// Of one valid sequence.
char32_t utf8_code_point(std::string_view sequence) noexcept;

// Characters that show nothing of themselves and change how the text around them is shown, or hide in it: control
// characters, characters of the categories Cf, Zl and Zp (marks and overrides of direction, joiners, byte order marks,
// tags), other characters that are to be ignored when they cannot be shown, and those that never are characters. Not
// the selectors of a glyph's variant, which names with emoji are full of. Unicode 15.
bool is_unprintable(char32_t c) noexcept;

}  // namespace cairn
