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
  constexpr std::uint32_t k_third = k_max_run / 8 * 3;
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

TEST_CASE("fetch plan: a pack that is needed as good as whole is one run") {
  const PackRef pack{sha256("name"), 3U << 20, 0, 0, k_seal_none, sha256("content"), 4000, 3000};
  CHECK(worth_whole(pack));
  const PackDirectory directory = directory_of({100, 100, 100, 100});
  FetchPlan plan;
  plan.want_whole(pack, 3, 1, 0);
  plan.want_whole(pack, 0, 2, 0);
  plan.want(9, directory, 1);
  plan.want_whole(pack, 0, 1, 0);
  CHECK(plan.packs() == 2);
  CHECK(plan.bytes() == (3U << 20) + 100);
  const auto runs = plan.runs();
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].pack == pack.prefix());
  CHECK(runs[0].whole);
  CHECK(runs[0].offset == 0);
  CHECK(runs[0].length == 3U << 20);
  CHECK_FALSE(runs[1].whole);
  CHECK(plan.wanted_of_whole(pack.prefix(), directory) == 3);
  CHECK(plan.wanted_of_whole(9, directory) == 0);
  CHECK(plan.wanted_again(pack.prefix(), directory).empty());
  plan.want_whole(pack, 1, 1, 10ULL << 20);
  CHECK(plan.wanted_again(pack.prefix(), directory).empty());
  plan.want_whole(pack, 0, 2, 20ULL << 20);
  CHECK(plan.wanted_again(pack.prefix(), directory) == std::vector<std::uint32_t>{0});
}

TEST_CASE("fetch plan: what decides for a whole pack") {
  PackRef pack{sha256("name"), 3U << 20, 0, 0, k_seal_none, sha256("content"), 4000, 3000};
  pack.live_bytes = 2999;
  CHECK_FALSE(worth_whole(pack));
  pack.size = 100'000;  // less than a request is worth
  CHECK(worth_whole(pack));
  pack.live_bytes = 4000;
  pack.size = 16U << 20;
  CHECK(worth_whole(pack));
  pack.size = 64U << 20;  // more than should wait in memory
  CHECK_FALSE(worth_whole(pack));
}

TEST_CASE("fetch plan: an extent beyond all reason takes no memory") {
  const PackRef pack{sha256("name"), 6400, 0, 0, k_seal_none, sha256("content"), 1, 1};
  FetchPlan plan;
  plan.want_whole(pack, 0xffff'ffff, 0xffff'ffff, 0);
  plan.want_whole(pack, 199, 0xffff'ffff, 0);
  CHECK(plan.wanted_of_whole(pack.prefix(), directory_of(std::vector<std::uint32_t>(300, 10))) == 1);
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
