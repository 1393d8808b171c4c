// One schedule: from a seed to machines, stores, faults and what the machines do; played, and judged.
#pragma once

#include "commands.hpp"
#include "scheduler.hpp"
#include "util/file.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::sim {

enum class Tell { no, yes };

struct Verdict {
  std::string violation;  // empty: all is well
  std::uint64_t digest = 0;
  std::vector<std::string> trace;  // with Tell::yes
  Tally tally;
  std::size_t steps = 0;
  std::size_t packs_put = 0;
  std::size_t packs_removed = 0;
  std::size_t manifests_put = 0;
  std::size_t manifests_removed = 0;
};

// scratch: an empty directory, for the machines' caches and for what is restored; empty again at the end.
Verdict play(Crew& crew, std::uint64_t seed, Tell tell, const fs::path& scratch);

// As many stacks as any schedule needs.
inline constexpr std::size_t k_crew = 6;

}  // namespace cairn::sim
