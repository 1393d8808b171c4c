// Names at a target that somebody else changed since this host wrote them.
#pragma once

#include "engine/follow/standby_state.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "engine/restore/restore_target.hpp"

#include <set>
#include <string>

namespace cairn {

// Of what the plan changes or removes: what is not as the state says that it was left, or is a database with a log that
// has bytes. state: null: nothing was left there. Looks at the target only. A name that has gone is none of them: there
// is nothing to lose.
std::set<std::string> touched_names(PreparedRestore& plan, const RestoreTarget& target, const StandbyState* state);

// Leaves out the names that a plan of another snapshot would have stay: they are as that snapshot has them.
void leave_out_equal(std::set<std::string>& names, PreparedRestore& other);

}  // namespace cairn
