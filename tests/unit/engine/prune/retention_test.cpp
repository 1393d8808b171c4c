#include "engine/prune/retention.hpp"

#include "util/error.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace cairn;

namespace {

struct Row {
  char label = 0;
  RetentionCandidate candidate;
  std::string expected;  // "keep last 1/2; daily 2026-11-20" or "remove"
  int line = 0;
};

struct Case {
  std::string name;
  RetentionPolicy policy;
  Time now = *parse_time("2026-11-21T12:00:00Z");
  std::vector<Row> rows;
};

Time time_of(const std::string& text) {
  const auto time = parse_time(text);
  REQUIRE_MESSAGE(time, text);
  return *time;
}

void read_policy(std::istringstream& words, RetentionPolicy& policy) {
  std::string word;
  while (words >> word) {
    const auto equals = word.find('=');
    const std::string key = word.substr(0, equals), value = word.substr(equals + 1);
    if (key == "zone") {
      policy.time_zone = value;
    } else if (key == "keep_within") {
      policy.keep_within = parse_keep_within(value);
    } else {
      const auto count = static_cast<std::uint32_t>(std::stoul(value));
      if (key == "keep_last")
        policy.keep_last = count;
      else if (key == "keep_hourly")
        policy.keep_hourly = count;
      else if (key == "keep_daily")
        policy.keep_daily = count;
      else if (key == "keep_weekly")
        policy.keep_weekly = count;
      else if (key == "keep_monthly")
        policy.keep_monthly = count;
      else if (key == "keep_yearly")
        policy.keep_yearly = count;
      else if (key == "minimum")
        policy.minimum = count;
      else
        FAIL("unknown policy key: ", key);
    }
  }
}

Row read_row(const std::string& line, int number) {
  const auto arrow = line.find(" => ");
  REQUIRE_MESSAGE(arrow != std::string::npos, "line ", number, ": ", line);
  Row row;
  row.line = number;
  row.expected = line.substr(arrow + 4);
  std::istringstream words(line.substr(0, arrow));
  std::string label, cut_point, flag;
  words >> label >> cut_point;
  REQUIRE(label.size() == 1);
  row.label = label.front();
  row.candidate.id.bytes[0] = static_cast<std::uint8_t>(row.label);
  row.candidate.cut_point = time_of(cut_point);
  row.candidate.stored_at = row.candidate.cut_point + std::chrono::minutes{1};
  while (words >> flag) {
    if (flag == "pinned")
      row.candidate.pinned = true;
    else if (flag == "untrusted")
      row.candidate.trusted = false;
    else if (flag == "incomplete")
      row.candidate.wholeness = Wholeness::incomplete;
    else if (flag == "proven")
      row.candidate.proven = Proven::here;
    else if (flag == "proven-elsewhere")
      row.candidate.proven = Proven::elsewhere;
    else if (flag == "doubtful")
      row.candidate.wholeness = Wholeness::doubtful;
    else if (flag.starts_with("stored="))
      row.candidate.stored_at = time_of(flag.substr(7));
    else
      FAIL("line ", number, ": unknown flag ", flag);
  }
  return row;
}

std::vector<Case> read_table() {
  std::ifstream file(CAIRN_SOURCE_DIR "/tests/unit/engine/prune/retention_table.txt");
  REQUIRE(file);
  std::vector<Case> cases;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    if (line.starts_with("case ")) {
      cases.emplace_back().name = line.substr(5);
      continue;
    }
    REQUIRE_FALSE(cases.empty());
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first == "policy") {
      read_policy(words, cases.back().policy);
    } else if (first == "now") {
      words >> first;
      cases.back().now = time_of(first);
    } else {
      cases.back().rows.push_back(read_row(line, number));
    }
  }
  return cases;
}

std::string text_of(const RetentionDecision& decision) {
  if (decision.verdict == Verdict::remove) {
    CHECK(decision.reasons == std::vector<std::string>{"no rule keeps it"});
    return "remove";
  }
  return fmt::format("keep {}", fmt::join(decision.reasons, "; "));
}

RetentionCandidate at(const std::string& cut_point, std::uint8_t id) {
  RetentionCandidate candidate;
  candidate.id.bytes[31] = id;
  candidate.cut_point = candidate.stored_at = time_of(cut_point);
  return candidate;
}

}  // namespace

TEST_CASE("retention: the survivors of the table, in any order of the input") {
  const auto cases = read_table();
  CHECK(cases.size() > 50);
  std::mt19937 shuffler{20261121};
  for (const auto& one : cases) {
    auto rows = one.rows;
    for (int round = 0; round < 4; ++round) {
      std::vector<RetentionCandidate> candidates;
      for (const auto& row : rows) candidates.push_back(row.candidate);
      const auto decisions = decide_retention(candidates, one.policy, one.now);
      REQUIRE(decisions.size() == rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        INFO("case ", one.name, ", line ", rows[i].line, ", snapshot ", rows[i].label);
        CHECK(text_of(decisions[i]) == rows[i].expected);
      }
      std::shuffle(rows.begin(), rows.end(), shuffler);
    }
  }
}

TEST_CASE("retention: random histories keep what the rules promise") {
  std::mt19937 random{7};
  const auto pick = [&](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  const Time now = time_of("2026-11-21T12:00:00Z");
  for (int round = 0; round < 300; ++round) {
    std::vector<RetentionCandidate> history(1 + pick(80));
    for (std::size_t i = 0; i < history.size(); ++i) {
      history[i].id = sha256(std::to_string(i));
      history[i].cut_point = now - std::chrono::minutes{pick(3 * 365 * 24 * 60)};
      history[i].stored_at = history[i].cut_point;
      history[i].pinned = pick(20) == 0;
      history[i].trusted = pick(20) != 0;
      if (pick(2)) history[i].wholeness = Wholeness{static_cast<int>(pick(3))};
    }
    RetentionPolicy policy;
    if (pick(2)) policy.keep_last = pick(5);
    if (pick(2)) policy.keep_daily = pick(5);
    if (pick(2)) policy.keep_monthly = pick(5);
    if (pick(2)) policy.keep_within = std::chrono::hours{pick(1000)};
    policy.minimum = pick(4);
    policy.time_zone = pick(2) ? "Europe/Berlin" : "";

    const auto first = decide_retention(history, policy, now);
    std::vector<RetentionCandidate> survivors;
    std::size_t counted = 0, counted_kept = 0;
    for (std::size_t i = 0; i < history.size(); ++i) {
      const bool kept = first[i].verdict == Verdict::keep;
      if (kept) survivors.push_back(history[i]);
      counted += history[i].trusted;
      counted_kept += history[i].trusted && kept;
      CHECK_FALSE(first[i].reasons.empty());
      if (history[i].pinned || !history[i].trusted || !policy.has_rule()) CHECK(kept);
    }
    CHECK(counted_kept >= std::min<std::size_t>(counted, std::max<std::size_t>(policy.minimum, 1)));
    // The newest of each degree stays, and what would be kept of the complete ones if there were no others.
    std::vector<RetentionCandidate> complete;
    std::map<Wholeness, std::size_t> newest;
    for (std::size_t i = 0; i < history.size(); ++i) {
      if (!history[i].trusted) continue;
      if (history[i].wholeness == Wholeness::complete) complete.push_back(history[i]);
      for (const auto least : {Wholeness::doubtful, Wholeness::incomplete, Wholeness::complete}) {
        if (history[i].wholeness < least) continue;
        const auto [at, added] = newest.emplace(least, i);
        const auto order = [&](std::size_t k) { return std::tie(history[k].cut_point, history[k].id); };
        if (!added && order(at->second) < order(i)) at->second = i;
      }
    }
    for (const auto& [least, i] : newest) CHECK(first[i].verdict == Verdict::keep);
    const auto alone = decide_retention(complete, policy, now);
    for (std::size_t i = 0; i < complete.size(); ++i) {
      const auto at =
          std::find_if(history.begin(), history.end(), [&](const auto& c) { return c.id == complete[i].id; });
      const auto& together = first[static_cast<std::size_t>(at - history.begin())];
      if (alone[i].verdict == Verdict::keep) CHECK(together.verdict == Verdict::keep);
    }
    // A second run on what is left removes nothing more.
    for (const auto& decision : decide_retention(survivors, policy, now)) CHECK(decision.verdict == Verdict::keep);
  }
}

TEST_CASE("retention: the policy that keeps nothing by itself is no rule") {
  RetentionPolicy policy;
  CHECK_FALSE(policy.has_rule());
  policy.minimum = 5;
  policy.keep_yearly = 0;
  policy.keep_within = Nanoseconds{0};
  CHECK_FALSE(policy.has_rule());
  policy.keep_within = std::chrono::hours{1};
  CHECK(policy.has_rule());
}

TEST_CASE("retention: an unknown time zone is a usage error") {
  RetentionPolicy policy;
  policy.keep_daily = 1;
  const std::vector<RetentionCandidate> one{at("2026-11-20T00:00:00Z", 1)};
  for (const char* name : {"Europe/Berln", "europe/berlin", "../../etc/passwd", "Mars", "+02:00"}) {
    CAPTURE(name);
    policy.time_zone = name;
    try {
      decide_retention(one, policy, one[0].cut_point);
      FAIL("not refused");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      CHECK(error.message() == fmt::format("unknown time zone '{}'", name));
      CHECK_FALSE(error.hint().empty());
    }
    CHECK_THROWS_AS(check_time_zone(name), Error);
  }
  CHECK_NOTHROW(check_time_zone(""));
  CHECK_NOTHROW(check_time_zone("UTC"));
  CHECK_NOTHROW(check_time_zone("Europe/Berlin"));
}

TEST_CASE("retention: the ends of what a time can be") {
  RetentionPolicy policy;
  policy.keep_yearly = 2;
  policy.keep_weekly = 2;
  policy.keep_hourly = 1;
  policy.keep_within = std::chrono::hours{24};
  policy.time_zone = "Europe/Berlin";
  std::vector<RetentionCandidate> ends{at("1678-01-01T00:00:00Z", 1), at("2261-12-31T00:00:00Z", 2)};
  const auto decisions = decide_retention(ends, policy, time_of("2026-11-21T12:00:00Z"));
  CHECK(decisions[0].verdict == Verdict::keep);
  CHECK(decisions[0].reasons.back() == "yearly 1678");
  CHECK(decisions[1].verdict == Verdict::keep);
  CHECK(decisions[1].reasons.back() == "within 1d");
  // An hour before the first instant there is none: it is not future-dated for that.
  std::vector<RetentionCandidate> first{at("1677-09-21T00:12:44Z", 3)};
  first[0].stored_at = time_of("2026-11-21T12:00:00Z");
  CHECK(decide_retention(first, policy, first[0].stored_at)[0].reasons[0] != "future-dated");
}

TEST_CASE("retention: how long keep_within may be written") {
  using std::chrono::hours;
  CHECK(parse_keep_within("36h") == hours{36});
  CHECK(parse_keep_within("7d") == hours{7 * 24});
  CHECK(parse_keep_within("2w") == hours{14 * 24});
  CHECK(parse_keep_within("1y") == hours{365 * 24});
  CHECK(parse_keep_within("1d12h") == hours{36});
  // A month to users of restic and borg, a minute elsewhere.
  for (const char* bad : {"1m", "1h30m", "5s", "100ms", "7", "", "d", "-7d", "7 d", "1M", "forever"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_keep_within(bad), Error);
  }
}
