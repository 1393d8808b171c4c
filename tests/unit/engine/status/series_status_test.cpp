#include "engine/status/series_status.hpp"

#include <chrono>

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace cairn;
using namespace std::chrono_literals;

namespace {

const Time k_now = Time{std::chrono::hours{24 * 365 * 50}};

// The number is what the id begins with.
SnapshotSeen taken(std::uint8_t number, Nanoseconds ago) {
  SnapshotSeen out;
  out.id.bytes[0] = number;
  out.cut_point = k_now - ago;
  out.bytes = 1000;
  out.stored_bytes = number;
  return out;
}

SeriesStatus judged(std::vector<SnapshotSeen> snapshots, std::optional<Nanoseconds> limit) {
  return series_status("s", std::move(snapshots), limit, k_now);
}

}  // namespace

TEST_CASE("series status: the newest is fresh up to its limit, and stale beyond") {
  const std::vector<SnapshotSeen> two{taken(1, 5h), taken(2, 2h)};
  auto status = judged(two, 2h);
  CHECK(status.freshness == Freshness::fresh);
  CHECK(status.newest->id.bytes[0] == 2);
  CHECK(status.age == 2h);
  CHECK(status.recovery_points == 2);
  CHECK(remark(status).empty());
  CHECK(judged(two, 2h - 1ns).freshness == Freshness::stale);
  status = judged(two, 119min);
  CHECK(status.freshness == Freshness::stale);
  CHECK(remark(status) == "newest is 2 h 0 min old, limit 1 h 59 min");
  status = judged(two, {});
  CHECK(status.freshness == Freshness::unjudged);
  CHECK(remark(status).empty());
}

TEST_CASE("series status: what could not be relied on is no recovery point, however new it is") {
  const auto with = [](auto change) {
    auto newer = taken(9, 1min);
    change(newer);
    return judged({newer, taken(1, 30h)}, 26h);
  };
  const auto check = [](const SeriesStatus& status, const char* why) {
    CHECK(status.freshness == Freshness::stale);
    CHECK(status.newest->id.bytes[0] == 1);
    CHECK(status.passed_over == 1);
    CHECK(status.recovery_points == 1);
    CHECK(remark(status) == fmt::format("newest is 1 d 6 h old, limit 1 d 2 h; 1 newer not relied on ({})", why));
  };
  const auto untrusted = with([](SnapshotSeen& s) { s.trusted = false; });
  check(untrusted, "not trusted");
  CHECK(untrusted.untrusted == 1);
  const auto incomplete = with([](SnapshotSeen& s) { s.incomplete = true; });
  check(incomplete, "incomplete");
  CHECK(incomplete.incomplete == 1);
  // As the record has it: what is in doubt is incomplete, too. The gravest reason counts.
  const auto doubtful = with([](SnapshotSeen& s) { s.incomplete = s.doubtful = true; });
  check(doubtful, "in doubt");
  CHECK(doubtful.doubtful == 1);
  CHECK(doubtful.incomplete == 0);
  const auto ahead = with([](SnapshotSeen& s) {
    s.future_dated = true;
    s.cut_point = k_now + 100h;
  });
  check(ahead, "future-dated");
  CHECK(ahead.future_dated == 1);
  CHECK(ahead.age == 30h);
}

TEST_CASE("series status: an older one that is not whole is counted, and no reason to worry") {
  auto older = taken(1, 30h);
  older.incomplete = true;
  const auto status = judged({older, taken(2, 1h)}, 2h);
  CHECK(status.freshness == Freshness::fresh);
  CHECK(status.incomplete == 1);
  CHECK(status.passed_over == 0);
  CHECK(remark(status).empty());
}

TEST_CASE("series status: without a snapshot it is stale, limit or not") {
  CHECK(judged({}, {}).freshness == Freshness::stale);
  CHECK(remark(judged({}, {})) == "no snapshot");
  auto only = taken(1, 1h);
  only.doubtful = true;
  const auto status = judged({only}, {});
  CHECK(status.freshness == Freshness::stale);
  CHECK_FALSE(status.newest);
  CHECK(remark(status) == "no snapshot that could be relied on; 1 is not relied on (in doubt)");
}

TEST_CASE("series status: a clock that is a little ahead makes nothing younger than now") {
  const auto status = judged({taken(1, -5min)}, 1h);
  CHECK(status.age == 0ns);
  CHECK(status.freshness == Freshness::fresh);
}

TEST_CASE("series status: growth is of the newest recovery points, oldest first, or of none") {
  std::vector<SnapshotSeen> snapshots;
  for (std::uint8_t i = 1; i <= 20; ++i) snapshots.push_back(taken(i, std::chrono::hours{100 - i}));
  snapshots[18].incomplete = true;
  auto status = judged(snapshots, {});
  REQUIRE(status.growth.size() == k_growth_points);
  CHECK(status.growth.back() == 20);
  CHECK(status.growth[k_growth_points - 2] == 18);
  CHECK(status.growth.front() == 8);
  snapshots[12].stored_bytes.reset();
  CHECK(judged(snapshots, {}).growth.empty());
}
