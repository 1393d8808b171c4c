#include "repo/fetch_plan.hpp"

#include <algorithm>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;

namespace {

constexpr std::uint64_t k_room = 32ULL << 20;

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
  const auto runs = plan.runs(k_room);
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
  plan.want_whole(pack, 3, 1);
  plan.want_whole(pack, 0, 2);
  plan.want(9, directory, 1);
  plan.want_whole(pack, 0, 1);
  CHECK(plan.packs() == 2);
  CHECK(plan.bytes() == (3U << 20) + 100);
  const auto runs = plan.runs(k_room);
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].pack == pack.prefix());
  CHECK(runs[0].whole);
  CHECK(runs[0].offset == 0);
  CHECK(runs[0].length == 3U << 20);
  CHECK_FALSE(runs[1].whole);
  CHECK(plan.wanted_of_whole(pack.prefix(), directory) == 3);
  CHECK(plan.wanted_of_whole(9, directory) == 0);
  CHECK(plan.wanted_again(pack.prefix(), directory).empty());
  plan.begin_stretch(10ULL << 20);
  plan.want_whole(pack, 1, 1);
  CHECK(plan.wanted_again(pack.prefix(), directory).empty());
  plan.begin_stretch(20ULL << 20);
  plan.want_whole(pack, 0, 2);
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
  plan.want_whole(pack, 0xffff'ffff, 0xffff'ffff);
  plan.want_whole(pack, 199, 0xffff'ffff);
  CHECK(plan.wanted_of_whole(pack.prefix(), directory_of(std::vector<std::uint32_t>(300, 10))) == 1);
}

TEST_CASE("fetch plan: runs come in the order of their first use, pack by pack where that is how they are used") {
  const PackDirectory directory = directory_of({k_max_run, k_max_run, k_max_run, k_max_run});
  FetchPlan plan;
  plan.want(2, directory, 2);
  plan.want(1, directory, 1);
  plan.want(2, directory, 0);
  plan.want(1, directory, 0);
  plan.begin_stretch(100);
  plan.want(1, directory, 3);
  plan.want(2, directory, 0);
  plan.want(3, directory, 0);
  plan.want(2, directory, 1);
  const auto order = [&] {
    std::string out;
    for (const auto& run : plan.runs(k_room)) out += std::to_string(run.pack) + '.' + std::to_string(run.first) + ' ';
    return out;
  };
  CHECK(order() == "2.2 1.1 2.0 1.0 1.3 3.0 2.1 ");
  plan.go_by_pack();
  CHECK(order() == "2.2 1.1 2.0 1.0 1.3 2.1 3.0 ");
  // The directory of a pack that comes whole is needed before any frame of the stretch.
  PackRef small;
  small.name.bytes[0] = 4;
  small.size = 100'000;
  plan.want_whole(small, 0, 10);
  CHECK(order() == fmt::format("2.2 1.1 2.0 1.0 {}.0 1.3 2.1 3.0 ", small.prefix()));
  CHECK(FetchPlan{}.runs(k_room).empty());
}

TEST_CASE("fetch plan: frames that are used far from each other share a request only as far as memory allows") {
  constexpr std::uint64_t k_mib = 1ULL << 20;
  // Frames of half a MiB, one used every 100 MiB, of some packs: what a database wrote on some days.
  const PackDirectory directory = directory_of(std::vector<std::uint32_t>(20, k_mib / 2));
  const auto days = [&](std::uint64_t packs) {
    FetchPlan plan;
    for (std::uint32_t frame = 0; frame < 20; ++frame) {
      plan.begin_stretch(100 * frame * k_mib);
      for (std::uint64_t pack = 0; pack < packs; ++pack) plan.want(pack, directory, frame);
    }
    return plan;
  };
  const auto apart = days(80).runs(k_room);
  REQUIRE(apart.size() == 1600);
  for (std::size_t i = 0; i < apart.size(); ++i) CHECK((apart[i].pack == i % 80 && apart[i].first == i / 80));
  // Of two packs all of them wait without harm.
  CHECK(days(2).runs(k_room).size() == 2);
  CHECK(days(2).runs(15 * k_mib).size() == 40);
  // As well as neighbours of any number of packs one after the other.
  FetchPlan sequence;
  for (std::uint64_t pack = 0; pack < 80; ++pack) {
    for (std::uint32_t frame = 0; frame < 20; ++frame) {
      sequence.begin_stretch((20 * pack + frame) * k_mib);
      sequence.want(pack, directory, frame);
    }
  }
  CHECK(sequence.runs(k_room).size() == 80);
}

TEST_CASE("fetch plan: a pack that is used all over the content is taken apart") {
  constexpr std::uint64_t k_mib = 1ULL << 20;
  const PackRef pack{sha256("name"), 3U << 20, 0, 0, k_seal_none, sha256("content"), 4000, 4000};
  PackRef other = pack;
  other.logical_id = sha256("other");
  const PackDirectory directory = directory_of({100, 200, 300, 400});
  FetchPlan plan;
  for (std::uint32_t i = 0; i < 4; ++i) {
    plan.begin_stretch((50 + 100 * i) * k_mib);
    if (i == 0) plan.want_whole(other, 0, 4);
    plan.want_whole(pack, i, 1);
  }
  // Used again elsewhere, one of its chunks.
  plan.want_whole(other, 3, 1);
  // As long as there is room for it, it may wait.
  CHECK(plan.held_long(3U << 20).empty());
  const auto held = plan.held_long(0);
  REQUIRE(held.size() == 1);
  CHECK(held[0] == pack.prefix());
  plan.take_apart(pack.prefix(), directory);
  CHECK(plan.held_long(0).empty());
  CHECK(plan.bytes() == (3U << 20) + 1000);
  CHECK(plan.packs() == 2);
  const auto runs = plan.runs(0);
  REQUIRE(runs.size() == 5);
  CHECK(runs[0].whole);
  for (std::uint32_t i = 0; i < 4; ++i) {
    CHECK(runs[i + 1].pack == pack.prefix());
    CHECK(runs[i + 1].first == i);
    CHECK(runs[i + 1].length == 100 * (i + 1));
  }
}

TEST_CASE(
    "fetch plan: what returns to a pack is counted, and packs whose directories are needed first are taken apart") {
  const PackRef pack{sha256("name"), 3U << 20, 0, 0, k_seal_none, sha256("content"), 4000, 4000};
  PackRef other = pack;
  other.logical_id = sha256("other");
  FetchPlan plan;
  plan.begin_stretch(0);
  plan.want_whole(pack, 0, 1);
  plan.want_whole(pack, 1, 1);
  plan.want_whole(other, 0, 1);
  CHECK(plan.returns() == 0);
  plan.want_whole(pack, 2, 1);
  plan.want_whole(other, 1, 1);
  CHECK(plan.returns() == 2);
  plan.begin_stretch(1000);
  CHECK(plan.stretch_at() == 1000);
  CHECK(plan.returns() == 0);
  plan.want_whole(other, 2, 1);
  CHECK(plan.held_long(0).empty());
  plan.go_by_pack();
  REQUIRE(plan.held_long(k_room).size() == 1);
  CHECK(plan.held_long(k_room)[0] == other.prefix());
}
