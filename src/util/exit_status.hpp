// Exit status of the program, a contract with scripts: cairn(1), EXIT STATUS.
#pragma once

#include "util/error.hpp"

namespace cairn {

enum class ExitStatus : int {
  done = 0,
  failed = 1,
  usage = 2,
  incomplete = 3,  // committed, but some paths could not be read, or the source is in doubt
  damaged = 4,
  stale = 5,       // a series has no snapshot that is recent enough
  not_pushed = 6,  // committed here, a push failed
  not_found = 10,
  busy = 11,
  no_key = 12,
  untrusted = 13,
  interrupted = 130,  // by SIGINT
  terminated = 143,   // by SIGTERM
};

constexpr int to_int(ExitStatus status) noexcept {
  return static_cast<int>(status);
}

// Of two outcomes the one that somebody has to know of first, whatever the numbers: cairn(1), EXIT STATUS.
ExitStatus gravest(ExitStatus a, ExitStatus b) noexcept;

// signal_number: what interrupted_by() says, for ErrorKind::interrupted.
int exit_status_of(ErrorKind kind, int signal_number) noexcept;

// "usage", "not_found", ...: how JSON output names the kind.
const char* error_kind_name(ErrorKind kind) noexcept;
// The same for a status: also "done", "incomplete", "stale" and "not_pushed"; both signals are "interrupted".
const char* outcome_name(ExitStatus status) noexcept;

}  // namespace cairn
