// The text form of an age file: strict PEM (RFC 7468, figure 3) with the label AGE ENCRYPTED FILE, as the specification
// of age asks for it.
#pragma once

#include <string>
#include <string_view>

namespace cairn::age {

// Lines of 64 columns, each ended by a line feed.
std::string armour(std::string_view file);

// White space before and after the block and CRLF line ends are allowed; nothing else that armour() would not write.
// Throws Damage(armour).
std::string dearmour(std::string_view text);

// Whether the text, after white space, begins as an armoured file does.
bool is_armoured(std::string_view text) noexcept;

}  // namespace cairn::age
