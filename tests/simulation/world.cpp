#include "world.hpp"

#include <fmt/format.h>

namespace cairn::sim {

World::World(Crew& crew, std::uint64_t seed, bool tell) : random(seed), scheduler(crew, k_begin), m_tell(tell) {
  seed_program(~seed);
}

Time World::clock_of(const Machine& machine) const noexcept {
  const Time now = scheduler.now();
  return machine.clock_from ? *machine.clock_from + (now - k_begin) : now + machine.clock_ahead;
}

void World::note(const std::string& line) {
  ++m_steps;
  // FNV-1a.
  for (const char c : line) m_digest = (m_digest ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  m_digest ^= static_cast<std::uint64_t>(scheduler.now().time_since_epoch().count());
  if (m_tell) m_trace.push_back(fmt::format("{} {}", format_time(scheduler.now()), line));
}

void World::violated(const std::string& what) {
  note("VIOLATION: " + what);
  if (m_violation.empty()) m_violation = what;
  scheduler.stop();
}

}  // namespace cairn::sim
