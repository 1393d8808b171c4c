#include "repo/fetch_plan.hpp"

#include <doctest/doctest.h>

using namespace cairn;

namespace {

// Frames of one chunk each, of these stored sizes.
PackDirectory directory_of(const std::vector<std::uint32_t>& stored) {
  PackDirectory directory;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    directory.add_chunk(sha256(std::to_string(i)), 1000);
    directory.add_frame(stored[i], 1);
  }
  return directory;
}

}  // namespace

TEST_CASE("fetch plan: neighbours share a run, small gaps are read over, large ones and long runs are not") {
  constexpr std::uint32_t k_third = 3U << 20;
  const PackDirectory directory = directory_of({100, 100, 100'000, 100, 200'000, 100, k_third, k_third, k_third});
  FetchPlan plan;
  for (const std::uint32_t frame : {0U, 1U, 3U, 5U, 6U, 7U, 8U}) plan.want(7, directory, frame);
  plan.want(7, directory, 3);
  CHECK(plan.packs() == 1);
  CHECK(plan.bytes() == 400 + 3 * std::uint64_t{k_third});
  const auto runs = plan.runs();
  REQUIRE(runs.size() == 3);
  CHECK(runs[0].first == 0);
  CHECK(runs[0].last == 3);
  CHECK(runs[0].wanted == 3);
  CHECK(runs[0].offset == 0);
  CHECK(runs[0].length == 100'300);
  CHECK(runs[1].first == 5);
  CHECK(runs[1].last == 7);
  CHECK(runs[1].length == 100 + 2 * std::uint64_t{k_third});
  CHECK(runs[2].first == 8);
  CHECK(runs[2].wanted == 1);
}

TEST_CASE("fetch plan: runs come in the order of their first use") {
  const PackDirectory directory = directory_of({k_max_run, k_max_run, k_max_run});
  FetchPlan plan;
  plan.want(2, directory, 2);
  plan.want(1, directory, 1);
  plan.want(2, directory, 0);
  plan.want(1, directory, 0);
  const auto runs = plan.runs();
  REQUIRE(runs.size() == 4);
  CHECK(runs[0].pack == 2);
  CHECK(runs[0].first == 2);
  CHECK(runs[1].pack == 1);
  CHECK(runs[1].first == 1);
  CHECK(runs[2].pack == 2);
  CHECK(runs[3].pack == 1);
  CHECK(FetchPlan{}.runs().empty());
}
