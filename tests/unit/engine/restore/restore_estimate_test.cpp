#include "engine/restore/restore_estimate.hpp"

#include "util/units.hpp"

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

TEST_CASE("restore estimate: by the rate that was measured") {
  const auto estimate = estimate_restore(3 * k_gib, 64 * k_mib, 2s);
  CHECK(estimate.measured);
  CHECK(estimate.bytes_per_second == 32 * k_mib);
  CHECK(estimate.duration == 97s);
}

TEST_CASE("restore estimate: an assumption where little was fetched, or in no time") {
  for (const auto& estimate : {estimate_restore(120 * k_mib, 10'000, 1s), estimate_restore(120 * k_mib, k_gib, 0s)}) {
    CHECK_FALSE(estimate.measured);
    CHECK(estimate.bytes_per_second == 12 * k_mib);
    CHECK(estimate.duration == 11s);
  }
  CHECK(estimate_restore(0, 0, 0s).duration == 0s);
  // A store that hardly answers.
  CHECK(estimate_restore(k_mib, 4 * k_mib, std::chrono::hours{24 * 365 * 100}).bytes_per_second == 1);
}

TEST_CASE("restore estimate: warns above half of the grace") {
  RestoreEstimate estimate;
  estimate.duration = std::chrono::hours{84};
  CHECK_FALSE(warning_of_grace(estimate, std::chrono::days{7}));
  estimate.duration += 1s;
  const auto warning = warning_of_grace(estimate, std::chrono::days{7});
  REQUIRE(warning);
  CHECK(warning->find("pin the snapshot first") != std::string::npos);
}
