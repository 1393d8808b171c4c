// Which series of which stores a command looks at, as the command line and the configuration say.
#pragma once

#include "cli/session.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cairn {

struct StoreWatch {
  std::string store;
  std::set<std::string> series;  // empty: all that are there
};

// With a store, or where the configuration has no sources: series of that one. Else each source, or those that the
// operands name with groups, in the store that it is captured into and in those that it is pushed to. Error(usage).
std::vector<StoreWatch> watches(Session& session, const std::optional<std::string>& store,
                                const std::vector<std::string>& operands);

}  // namespace cairn
