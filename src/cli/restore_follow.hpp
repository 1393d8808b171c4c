// restore --follow: keeps TARGET at the newest snapshot of a series.
#pragma once

#include "cli/restore_hooks.hpp"
#include "cli/session.hpp"
#include "cli/snapshot_choice.hpp"
#include "engine/restore/prepared_restore.hpp"
#include "util/exit_status.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cairn {

// The options of it, as they were given.
struct FollowOptions {
  bool follow = false;
  bool once = false;
  bool discard_local = false;
  std::optional<std::string> interval;
  std::optional<std::string> status_file;
  void declare(OptionSet& options);
  // Throws Error(usage) where one of them is given and --follow is not, or one that does not go together with it is.
  void check(const std::vector<std::pair<const char*, bool>>& others) const;
};

// What else the command line says.
struct FollowMeans {
  const SnapshotChoice& choice;
  const std::optional<std::string>& store;
  const KeyOptions& keys;
  const std::vector<std::string>& from;
  const RestoreHookOptions& hooks;
  RestoreRequest request;  // for each of the restores
};

// Until a signal comes, which is Error(interrupted); with --once, one look.
ExitStatus follow(Session& session, const FollowOptions& options, const FollowMeans& means);

}  // namespace cairn
