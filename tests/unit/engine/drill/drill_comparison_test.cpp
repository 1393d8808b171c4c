#include "engine/drill/drill_comparison.hpp"

#include "engine/drill/driller.hpp"

#include <algorithm>
#include <functional>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using Result = DrillCheck::Result;

namespace {

DrillRecord sample(int day = 1) {
  DrillRecord record;
  record.id = sha256(std::to_string(day));
  record.cut_point = shifted(*parse_time("2026-11-20T00:00:00Z"), std::chrono::days{day});
  DrillInventory database;
  database.path = "app.db";
  database.kind = "sqlite";
  database.bytes = 100'000;
  database.digest = "aa";
  database.newest = record.cut_point;
  database.counts = {{"orders", 1000}, {"users", 100}};
  database.counters = {{"change counter", 50U + static_cast<unsigned>(day)}};
  database.elements = {"column users.email TEXT", "index by_email on users", "table orders", "table users"};
  DrillInventory tree;
  tree.path = ".";
  tree.kind = "tree";
  tree.bytes = 1'000'000;
  tree.newest = record.cut_point;
  tree.counts = {{"entries", 100}, {"files", 80}};
  record.inventories = {database, tree};
  return record;
}

// The check of that name after a change of what there is now; before a drill of the day before.
DrillCheck check_of(const std::string& name,
                    const std::function<void(DrillInventory& database, DrillInventory& tree)>& change,
                    const DrillLimits& limits = {}, const std::function<void(DrillRecord&)>& change_before = {}) {
  DrillRecord now = sample(2);
  DrillRecord before = sample(1);
  change(now.inventories[0], now.inventories[1]);
  if (change_before) change_before(before);
  const auto checks = compare_inventories(now, &before, limits);
  const auto found =
      std::find_if(checks.begin(), checks.end(), [&](const DrillCheck& check) { return check.name == name; });
  return found == checks.end() ? DrillCheck{"none", Result::skipped, {}} : *found;
}

}  // namespace

TEST_CASE("drill comparison: nothing has gone") {
  const DrillRecord before = sample(1);
  for (const auto& check : compare_inventories(sample(2), &before, {})) {
    CAPTURE(check.name);
    CHECK(check.result == Result::passed);
    CHECK(check.message.empty());
  }
}

TEST_CASE("drill comparison: what fails, and what is told") {
  struct Case {
    const char* check;
    Result result;
    const char* message;
    std::function<void(DrillInventory&, DrillInventory&)> change;
  };
  const Case cases[] = {
      {"rows of app.db", Result::failed, "orders has 499, 1000 at the last drill",
       [](auto& db, auto&) { db.counts["orders"] = 499; }},
      {"rows of app.db", Result::told, "orders has 500, 1000 at the last drill",
       [](auto& db, auto&) { db.counts["orders"] = 500; }},
      {"rows of app.db", Result::failed, "users has 0, 100 at the last drill",
       [](auto& db, auto&) { db.counts["users"] = 0; }},
      {"rows of app.db", Result::failed, "users is not there, with 100 at the last drill",
       [](auto& db, auto&) { db.counts.erase("users"); }},
      {"rows of app.db", Result::passed, "", [](auto& db, auto&) { db.counts["more"] = 1; }},
      {"rows of app.db", Result::failed, "users has 1, 100 at the last drill; orders has 999, 1000 at the last drill",
       [](auto& db, auto&) {
         db.counts["users"] = 1;
         db.counts["orders"] = 999;
       }},
      {"schema of app.db", Result::failed, "lost since the last drill: index by_email on users",
       [](auto& db, auto&) { std::erase(db.elements, "index by_email on users"); }},
      {"schema of app.db", Result::failed,
       "lost since the last drill: column users.email TEXT; new since the last drill: column users.email BLOB",
       [](auto& db, auto&) { db.elements[0] = "column users.email BLOB"; }},
      {"schema of app.db", Result::told, "new since the last drill: view v",
       [](auto& db, auto&) { db.elements.emplace_back("view v"); }},
      {"schema of app.db", Result::told, "its text differs from the last drill's",
       [](auto& db, auto&) { db.digest = "bb"; }},
      {"keys of app.db", Result::failed, "orders -> users: 3 rows refer to nothing",
       [](auto& db, auto&) { db.broken["orders -> users"] = 3; }},
      {"count", Result::failed, "files has 39, 80 at the last drill",
       [](auto&, auto& tree) { tree.counts["files"] = 39; }},
      {"count", Result::told, "files has 79, 80 at the last drill",
       [](auto&, auto& tree) { tree.counts["files"] = 79; }},
      {"size", Result::failed, "487 KiB, 977 KiB at the last drill", [](auto&, auto& tree) { tree.bytes = 499'000; }},
      {"size", Result::passed, "", [](auto&, auto& tree) { tree.bytes = 900'000; }},
      {"age of app.db", Result::told, "it is older than at the last drill: change counter is 7, and was 51",
       [](auto& db, auto&) { db.counters["change counter"] = 7; }},
      {"age of app.db", Result::told,
       "it is older than at the last drill: of 2026-11-20 00:00:00 UTC, and was of 2026-11-21 00:00:00 UTC",
       [](auto& db, auto&) { db.newest = parse_time("2026-11-20T00:00:00Z"); }},
      {"age of app.db", Result::told, "nothing in it has changed since 2026-11-21 00:00:00 UTC",
       [](auto& db, auto&) { db = sample(1).inventories[0]; }},
      {"presence of app.db", Result::failed, "the database of the last drill is not there",
       [](auto& db, auto&) { db.path = "other.db"; }},
  };
  for (const auto& each : cases) {
    const auto check = check_of(each.check, each.change);
    CAPTURE(each.check);
    CAPTURE(each.message);
    CHECK(check.result == each.result);
    CHECK(check.message == each.message);
    // Whoever accepts is told the same.
    DrillLimits accepting;
    accepting.accept = true;
    const auto accepted = check_of(each.check, each.change, accepting);
    CHECK(accepted.result != Result::failed);
    CHECK(accepted.message.empty() == check.message.empty());
  }
}

TEST_CASE("drill comparison: limits of the configuration") {
  DrillLimits limits;
  limits.max_row_drop = 0.1;
  const auto drop = [&](std::uint64_t rows) {
    return check_of(
               "rows of app.db", [&](auto& db, auto&) { db.counts["orders"] = rows; }, limits)
        .result;
  };
  CHECK(drop(900) == Result::told);
  CHECK(drop(899) == Result::failed);
  limits.max_row_drop = 1;
  CHECK(drop(1) == Result::told);
  CHECK(drop(0) == Result::failed);
}

TEST_CASE("drill comparison: broken keys that an accepted drill found are known, and no more of them") {
  const auto before = [](DrillRecord& record) { record.inventories[0].broken["orders -> users"] = 3; };
  const auto now = [&](std::uint64_t count) {
    return check_of(
               "keys of app.db", [&](auto& db, auto&) { db.broken["orders -> users"] = count; }, {}, before)
        .result;
  };
  CHECK(now(3) == Result::told);
  CHECK(now(4) == Result::failed);
}

TEST_CASE("drill comparison: the first drill fails by what is wrong in itself alone") {
  DrillRecord now = sample();
  for (const auto& check : compare_inventories(now, nullptr, {})) CHECK(check.result == Result::passed);
  now.inventories[0].broken["orders -> users"] = 1;
  const auto checks = compare_inventories(now, nullptr, {});
  REQUIRE(checks.size() == 1);
  CHECK(checks[0].result == Result::failed);
}

TEST_CASE("drill comparison: the same snapshot once more is no older one") {
  const DrillRecord before = sample(1);
  for (const auto& check : compare_inventories(sample(1), &before, {})) {
    CHECK(check.result == Result::passed);
    CHECK_FALSE(check.name.starts_with("age"));
  }
}

TEST_CASE("drill: the last drill to compare with") {
  std::vector<StoredDrill> drills;
  const auto add = [&](int day, int drilled_day, bool passed = true, bool trusted = true, bool closed = false) {
    StoredDrill drill;
    drill.record = sample(day);
    drill.record.time = shifted(*parse_time("2026-11-20T12:00:00Z"), std::chrono::days{drilled_day});
    drill.record.outcome = passed ? DrillOutcome::passed : DrillOutcome::failed;
    drill.record.closed = closed;
    drill.trusted = trusted;
    drills.push_back(drill);
  };
  const auto day_of = [&](int day) {
    const auto* last = last_passed(drills, sample(day).cut_point);
    if (last == nullptr) return 0;
    for (int each = 1; each < 20; ++each) {
      if (last->id == sample(each).id) return each;
    }
    return -1;
  };
  CHECK(day_of(9) == 0);
  add(3, 3);
  add(1, 8);
  add(5, 6, false);
  add(6, 6, true, false);
  add(7, 7, true, true, true);
  CHECK(day_of(9) == 3);
  CHECK(day_of(3) == 3);
  // An older snapshot is not held against a newer one.
  CHECK(day_of(2) == 1);
}
