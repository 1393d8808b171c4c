// The world that all in one schedule share: time, chance, faults, machines, and the record of what happened.
#pragma once

#include "codec/age/keys.hpp"
#include "random.hpp"
#include "scheduler.hpp"
#include "util/file.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cairn::sim {

// How often what goes wrong, in one schedule: per mille of the calls.
struct Faults {
  unsigned failure = 0;     // 500, 503, 429, no connection: before the effect, or the answer is lost after it
  unsigned broken = 0;      // a failure that no retry cures
  unsigned truncated = 0;   // a body that ends early
  unsigned error_body = 0;  // 200, and an error in place of the body
  unsigned cut = 0;         // a listing that ends early (BucketNature::cut_listings says how many at most)
  unsigned death = 0;       // the program is killed
  unsigned standstill = 0;  // the machine stands still, for hours or days, or the answer takes as long
  unsigned late = 0;        // a PUT gets no answer, and takes effect in a while all the same: in days, perhaps
  unsigned slow_run = 0;    // of the runs: packs take hours or days to move, the whole run more than the grace perhaps

  bool none() const noexcept {
    return failure + broken + truncated + error_body + cut + death + standstill + late + slow_run == 0;
  }
};

// The event that befalls a machine, once, at a certain moment of a call.
struct Fate {
  enum class At { sent, answered };  // before it takes effect, after it did
  At at = At::answered;
  std::string verb;
  std::string prefix;                // of the key
  std::optional<Nanoseconds> stall;  // it stands still so long; nothing: the program is killed
};

// A host: outlives its programs, and what it has on disk may outlive them, too.
struct Machine {
  std::string name;
  fs::path cache;                  // empty: none; its state is in it, too
  Nanoseconds clock_ahead{};       // may be negative
  std::optional<Time> clock_from;  // else a clock that began there with the schedule
  Nanoseconds slow_puts{};         // what the PUT of a pack takes more
  Nanoseconds slept{};             // not counted by its monotonic clock
  std::optional<Fate> fate{};
  std::optional<age::Identity> own_key{};  // made when first needed; never lost
};

class World {
 public:
  World(Crew& crew, std::uint64_t seed, bool tell);

  Random random;
  Scheduler scheduler;
  Faults faults;
  Nanoseconds grace = std::chrono::days{7};                  // of the prunes; what writers do not know
  std::size_t processes = 0;                                 // begun so far
  static constexpr Time k_begin{std::chrono::days{20'454}};  // 2026-01-01

  Time clock_of(const Machine& machine) const noexcept;

  // A step, for the trace and for its digest: two runs of one seed have the same.
  void note(const std::string& line);
  std::uint64_t digest() const noexcept { return m_digest; }
  std::size_t steps() const noexcept { return m_steps; }
  const std::vector<std::string>& trace() const noexcept { return m_trace; }

  // Notes what must never be. The first one ends the schedule.
  void violated(const std::string& what);
  const std::string& violation() const noexcept { return m_violation; }

 private:
  bool m_tell;
  std::size_t m_steps = 0;
  std::uint64_t m_digest = 0xcbf29ce484222325;
  std::vector<std::string> m_trace;
  std::string m_violation;
};

}  // namespace cairn::sim
