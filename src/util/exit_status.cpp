#include "util/exit_status.hpp"

#include <array>
#include <csignal>

namespace cairn {

int exit_status_of(ErrorKind kind, int signal_number) noexcept {
  switch (kind) {
    case ErrorKind::failed:
      return to_int(ExitStatus::failed);
    case ErrorKind::usage:
      return to_int(ExitStatus::usage);
    case ErrorKind::damaged:
      return to_int(ExitStatus::damaged);
    case ErrorKind::not_found:
      return to_int(ExitStatus::not_found);
    case ErrorKind::busy:
      return to_int(ExitStatus::busy);
    case ErrorKind::no_key:
      return to_int(ExitStatus::no_key);
    case ErrorKind::untrusted:
      return to_int(ExitStatus::untrusted);
    case ErrorKind::interrupted:
      return 128 + (signal_number == 0 ? SIGINT : signal_number);
  }
  return to_int(ExitStatus::failed);
}

ExitStatus gravest(ExitStatus a, ExitStatus b) noexcept {
  using enum ExitStatus;
  static constexpr std::array k_order{interrupted, terminated, usage,      untrusted,  damaged, no_key, not_found,
                                      failed,      busy,       not_pushed, incomplete, stale,   done};
  for (const ExitStatus status : k_order) {
    if (a == status || b == status) return status;
  }
  return a;
}

const char* error_kind_name(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::failed:
      return "failed";
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::damaged:
      return "damaged";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::busy:
      return "busy";
    case ErrorKind::no_key:
      return "no_key";
    case ErrorKind::untrusted:
      return "untrusted";
    case ErrorKind::interrupted:
      return "interrupted";
  }
  return "failed";
}

const char* outcome_name(ExitStatus status) noexcept {
  switch (status) {
    case ExitStatus::done:
      return "done";
    case ExitStatus::failed:
      return "failed";
    case ExitStatus::usage:
      return "usage";
    case ExitStatus::incomplete:
      return "incomplete";
    case ExitStatus::damaged:
      return "damaged";
    case ExitStatus::stale:
      return "stale";
    case ExitStatus::not_pushed:
      return "not_pushed";
    case ExitStatus::not_found:
      return "not_found";
    case ExitStatus::busy:
      return "busy";
    case ExitStatus::no_key:
      return "no_key";
    case ExitStatus::untrusted:
      return "untrusted";
    case ExitStatus::interrupted:
    case ExitStatus::terminated:
      return "interrupted";
  }
  return "failed";
}

}  // namespace cairn
