// The source that one snapshot of a run is to be taken of, and where it goes.
#pragma once

#include "capture/source_spec.hpp"
#include "engine/snapshot/size_guard.hpp"

#include <map>
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
  std::string store;                 // where it is put: a name or an address
  std::vector<std::string> push_to;  // stores to which it is copied then
};

}  // namespace cairn
