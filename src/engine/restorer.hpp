// Gets a snapshot back: plan, then execute.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/context.hpp"
#include "repo/manifest.hpp"
#include "util/file.hpp"

namespace cairn {

struct RestoreRequest {
  fs::path target;
  std::vector<std::string> paths;  // entries (and what is below them); empty: everything
  bool overwrite = false;
};

// What a restore would do. Made from the manifest, the entry list and directories, and a look at the target.
struct RestorePlan {
  std::uint64_t entries = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;           // to be written
  std::uint64_t bytes_to_fetch = 0;  // stored bytes
  std::uint64_t requests = 0;
  std::uint64_t packs = 0;
  bool single_file = false;
};

struct RestoreResult {
  std::uint64_t entries = 0;
  std::uint64_t files = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_fetched = 0;
  std::uint64_t bytes_reused = 0;
  std::uint64_t requests = 0;
  std::chrono::nanoseconds duration{};
};

// Throws what restore() would throw before it touches anything: bad paths (not_found), a target that is not empty
// (usage), a disk that is too small (failed), an open database (busy).
RestorePlan plan_restore(Context& context, const Manifest& manifest, const RestoreRequest& request);

// All or nothing at the target: everything is written beside it, verified, and moved into place at the end.
RestoreResult restore(Context& context, const Manifest& manifest, const RestoreRequest& request);

}  // namespace cairn
