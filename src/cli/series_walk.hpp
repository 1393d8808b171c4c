// All snapshots of a series, for commands that look into each.
#pragma once

#include "cli/session.hpp"
#include "repo/manifest.hpp"
#include "util/exit_status.hpp"
#include "util/time.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cairn {

struct SeriesWalk {
  std::string series;
  // As --since and --until have them; see parse_instants().
  std::optional<std::string> since = {};
  std::optional<std::string> until = {};
};

// Of what could not be looked into.
struct WalkProblems {
  std::vector<std::string> messages;  // each was told as a warning
  ExitStatus status = ExitStatus::done;
  void add(Session& session, std::string message, ExitStatus grave);
};

// Calls visit with manifests of the series, open, oldest first, some hundreds at a time: what a batch's lists of packs
// take of memory is bounded. Snapshots that are not trusted are left out, with a warning; those without a manifest that
// can be read are problems. Error(usage) for a time that is none, Error(not_found) where there is no such series,
// Error(no_key) where a snapshot is closed.
void walk_series(Session& session, OpenStore& store, const SeriesWalk& walk, WalkProblems& problems,
                 const std::function<void(const std::vector<Manifest>&)>& visit);

}  // namespace cairn
