#include "random.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <openssl/rand.h>

namespace cairn::sim {

namespace {
// One host runs at a time, all of them in one thread.
Random program{0};  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
}  // namespace

std::uint64_t Random::next() noexcept {
  m_state += 0x9e3779b97f4a7c15;
  std::uint64_t z = m_state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

Nanoseconds Random::duration(Nanoseconds shortest, Nanoseconds longest) noexcept {
  const auto low = static_cast<double>(shortest.count());
  const auto high = static_cast<double>(longest.count());
  return Nanoseconds{static_cast<std::int64_t>(low * std::exp2(fraction() * std::log2(high / low)))};
}

void seed_program(std::uint64_t seed) noexcept {
  program = Random{seed};
}

}  // namespace cairn::sim

extern "C" int RAND_bytes(unsigned char* buffer, int count) {
  for (int at = 0; at < count; at += 8) {
    const std::uint64_t value = cairn::sim::program.next();
    std::memcpy(buffer + at, &value, static_cast<std::size_t>(std::min(8, count - at)));
  }
  return 1;
}

extern "C" int RAND_priv_bytes(unsigned char* buffer, int count) {
  return RAND_bytes(buffer, count);
}
