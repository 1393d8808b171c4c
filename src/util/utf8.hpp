// UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace cairn {

// Length in bytes of the valid sequence at the start of text, 0 where there is none (or text is empty).
std::size_t utf8_sequence_length(std::string_view text) noexcept;
bool is_valid_utf8(std::string_view text) noexcept;

}  // namespace cairn
