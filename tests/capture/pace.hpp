// The cost of captures for the writers: phases without captures and with them, in turn, for each mode of checkpoints.
#pragma once

#include "util/file.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::hammer {

struct PaceSettings {
  std::uint64_t size_mb = 400;
  int writers = 4;
  int pause_ms = 0;  // of a writer between two commits; 0 takes all the processors there are
  int seconds = 20;
  int captures = 5;
  int rounds = 2;
  std::vector<std::string> modes{"auto", "full", "restart", "truncate"};
};

// Prints its figures; the exit status.
int run_pace(const fs::path& parent, const PaceSettings& settings);

}  // namespace cairn::hammer
