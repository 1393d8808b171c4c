// All chance of a schedule: what the world does to the program, and what the program itself draws. Both come from the
// seed, so that a schedule replays exactly.
#pragma once

#include "util/time.hpp"

#include <cstdint>
#include <vector>

namespace cairn::sim {

// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): small, and the same with
// every compiler and standard library, which std::uniform_int_distribution is not.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : m_state(seed) {}
  std::uint64_t next() noexcept;
  // In [0, limit); limit at least 1.
  std::uint64_t below(std::uint64_t limit) noexcept { return next() % limit; }
  // In [0, 1).
  double fraction() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }
  bool chance(unsigned per_mille) noexcept { return below(1000) < per_mille; }
  // Between the two, short ones as likely as long ones: each factor of two has the same chance.
  Nanoseconds duration(Nanoseconds shortest, Nanoseconds longest) noexcept;
  template <class T>
  const T& pick(const std::vector<T>& from) noexcept {
    return from[below(from.size())];
  }

 private:
  std::uint64_t m_state;
};

// Seeds what the program draws from now on: names, nonces, salts. random.cpp stands in for OpenSSL's RAND_bytes and
// RAND_priv_bytes, which nothing but util/ calls; a program for others would never let a test choose its randomness.
void seed_program(std::uint64_t seed) noexcept;

}  // namespace cairn::sim
