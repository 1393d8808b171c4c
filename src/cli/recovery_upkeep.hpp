// When this host puts recovery material into a store (engine/recover).
#pragma once

#include "cli/session.hpp"
#include "store/object_store.hpp"

#include <string>

namespace cairn {

// Puts what a store that was just made lacks. It is a store without it, too: a failure is a warning, and `cairn run`
// tries again. Throws an interruption.
void put_recovery_material(Session& session, ObjectStore& store, const std::string& store_id);

// Of a store of the configuration, which has been written to: the same where this host has not noted that all is there.
// Costs no request then. A failure is told with --verbose: those who may only add snapshots may be refused it each
// night.
void keep_recovery_material(Session& session, const std::string& store);

}  // namespace cairn
