// The prune of a store at the end of a run: what cairn prune does there without options.
#pragma once

#include "engine/run/run_host.hpp"

namespace cairn {

// Failures are in the outcome; throws Error(interrupted). With Apply::no nothing is changed.
PruneOutcome prune_store(RunHost& host, const std::string& store, Apply apply);

}  // namespace cairn
