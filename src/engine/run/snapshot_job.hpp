// The source that one snapshot of a run is to be taken of, where it goes, and what belongs to it.
#pragma once

#include "capture/source_spec.hpp"
#include "engine/run/hooks.hpp"
#include "engine/snapshot/size_guard.hpp"
#include "engine/verify/verifier.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct SnapshotJob {
  std::string name;  // of the configured source; of a path or a command its series
  std::string series;
  bool series_defaulted = false;  // see SnapshotRequest
  SourceSpec source;
  SizeGuard guard;
  std::map<std::string, std::string> tags;
  std::string store;                                       // where it is put: a name or an address
  std::vector<std::string> push_to;                        // stores to which it is copied then
  std::optional<VerifyLevel> verify = VerifyLevel::quick;  // nothing: it is not verified
  std::optional<Nanoseconds> drill_every = {};             // nothing: its restore is not rehearsed
  Hooks hooks;
};

}  // namespace cairn
