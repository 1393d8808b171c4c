// What a look at the store means for who keeps a target at the newest snapshot. Pure.
#pragma once

#include "util/error.hpp"
#include "util/exit_status.hpp"

#include <optional>

namespace cairn {

enum class FollowOutcome {
  current,         // the newest snapshot is in place already
  applied,         // it is now
  program_failed,  // it is now, but a program that follows it failed
  untrusted,       // the newest one that is trusted is in place, and there are newer ones that are not
  doubtful,        // the newest one is in doubt, and is not put in the place of what is there
  store_away,      // the store does not answer, or is not there
  no_snapshot,     // the series has none, or none any more
  refused,         // something would be lost that was written at the target, or the target is none
  busy,            // somebody has the target open
  damaged,         // the newest one cannot be had as a whole
  failed,          // all else
};
// "current", "applied", "program_failed", ...
const char* follow_outcome_name(FollowOutcome outcome) noexcept;
// The newest snapshot that is trusted is in place.
bool is_up_to_date(FollowOutcome outcome) noexcept;
// Of an outcome without a failure, and of most failures.
ExitStatus status_of(FollowOutcome outcome) noexcept;
// What a failure is. Not of Error(interrupted).
FollowOutcome outcome_of(const Error& failure) noexcept;

// All that is known of the looks before.
struct FollowHistory {
  // Something was put at the target once, by this process or one before.
  bool established = false;
  std::optional<FollowOutcome> last;
};

enum class FollowMode { once, on_and_on };

struct FollowStep {
  // It ends with the status, or with the failure that this was.
  bool ends = false;
  // Somebody is to be told: it is another thing than the last time. What was applied is told in any case.
  bool tell = false;
  // And that what was told the last time is over.
  bool recovered = false;
};
// A follow that goes on is ended by nothing but what its command line is to blame for: a target with something in it
// that nobody put there by a follow, or a series that is not there. Else it keeps what is in place, and looks again.
FollowStep decide(FollowMode mode, const FollowHistory& before, FollowOutcome outcome) noexcept;

}  // namespace cairn
