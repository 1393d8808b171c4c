#include "engine/restore/live_estimate.hpp"

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("live estimate: a log has every page of the image and a header for each") {
  const LiveEstimate estimate = estimate_live(40'960'000, 4096, 4096, true);
  CHECK(estimate.has_log);
  CHECK(estimate.log_bytes == 32 + 10'000 * (4096 + 24));
  CHECK(estimate.growth == 40'960'000 - 4096);
  CHECK(estimate.bytes_written == estimate.log_bytes);
  CHECK(estimate.wait.count() == static_cast<std::int64_t>(estimate.log_bytes / estimate.bytes_per_second + 1));
}

TEST_CASE("live estimate: a journal has what was there, and all that comes is written besides") {
  const LiveEstimate estimate = estimate_live(8192, 4096, 40'960'000, false);
  CHECK(estimate.log_bytes == 10'000 * (4096 + 8));
  CHECK(estimate.growth == 0);
  CHECK(estimate.bytes_written == estimate.log_bytes + 8192);
}

TEST_CASE("live estimate: of nothing it is next to nothing") {
  const LiveEstimate estimate = estimate_live(0, 0, 0, false);
  CHECK(estimate.log_bytes == 0);
  CHECK(estimate.wait.count() == 1);
}
