// The program: from argv to an exit status.
#pragma once

#include "cli/io.hpp"

namespace cairn {

// Parses, runs one command, reports. Never throws. The single place where an Error becomes an exit status; see
// util/exit_status.hpp.
int run(int argc, const char* const* argv, Io& io);

}  // namespace cairn
