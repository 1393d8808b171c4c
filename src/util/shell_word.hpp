// A text as one word of a shell's command line.
#pragma once

#include <string>
#include <string_view>

namespace cairn {

// As it is where no shell changes it, else in single quotes, else, with control characters or bytes that are not ASCII
// text, as $'...' (bash, ksh, zsh, busybox; POSIX since 2024). The result is printable and one line.
std::string shell_word(std::string_view text);

}  // namespace cairn
