#include "engine/prune/retention.hpp"

#include "repo/future_dated.hpp"
#include "util/error.hpp"
#include "util/secret_text.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <iterator>
#include <numeric>
#include <set>

#include <date/tz.h>
#include <fmt/format.h>

namespace cairn {

using namespace std::chrono;

namespace {

// Null for UTC, which needs no database: a rescue host may have none.
const date::time_zone* find_zone(const std::string& name) {
  if (name.empty() || name == "UTC") return nullptr;
  try {
    return date::locate_zone(name);
  } catch (const std::exception&) {
    // Both an unknown name and a missing database; the library's own message names neither in a readable way.
    throw Error(ErrorKind::usage, fmt::format("unknown time zone {}", quote_given(name)),
                "names are those below /usr/share/zoneinfo (Debian package tzdata), for example Europe/Berlin");
  }
}

// A point in time as the clock on the wall showed it.
struct WallClock {
  sys_seconds local;  // the digits, as if they were UTC's
  seconds offset;     // east of UTC
  year_month_day date() const { return year_month_day{floor<days>(local)}; }
};

WallClock wall_clock(Time time, const date::time_zone* zone) {
  const auto whole = floor<seconds>(time);
  const seconds offset = zone ? zone->get_info(whole).offset : seconds{0};
  return {whole + offset, offset};
}

std::string offset_text(seconds offset) {
  const auto minutes_east = duration_cast<minutes>(offset).count();
  const auto distance = std::abs(minutes_east);
  return fmt::format("{}{:02}:{:02}", minutes_east < 0 ? '-' : '+', distance / 60, distance % 60);
}

// The names of the buckets: what has the same name is in the same bucket.

// The offset is part of it: the hour that comes twice when the clocks go back is two hours.
std::string hour_name(const WallClock& at, bool with_offset) {
  const auto d = at.date();
  const auto hour = floor<hours>(at.local - floor<days>(at.local)).count();
  const auto text = fmt::format("{:04}-{:02}-{:02} {:02}:00", static_cast<int>(d.year()),
                                static_cast<unsigned>(d.month()), static_cast<unsigned>(d.day()), hour);
  return with_offset ? text + " " + offset_text(at.offset) : text;
}

std::string day_name(const WallClock& at) {
  const auto d = at.date();
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(d.year()), static_cast<unsigned>(d.month()),
                     static_cast<unsigned>(d.day()));
}

// ISO 8601: a week belongs to the year that has its Thursday.
std::string week_name(const WallClock& at) {
  const auto day = floor<days>(at.local);
  const auto thursday = day - days{weekday{day}.iso_encoding() - 1} + days{3};
  const auto year_of_week = year_month_day{thursday}.year();
  const auto week = (thursday - sys_days{year_of_week / January / 1}).count() / 7 + 1;
  return fmt::format("{:04}-W{:02}", static_cast<int>(year_of_week), week);
}

std::string month_name(const WallClock& at) {
  const auto d = at.date();
  return fmt::format("{:04}-{:02}", static_cast<int>(d.year()), static_cast<unsigned>(d.month()));
}

std::string year_name(const WallClock& at) {
  return fmt::format("{:04}", static_cast<int>(at.date().year()));
}

// One rule that keeps the newest of each bucket. Shown the snapshots newest first.
class BucketRule {
 public:
  using Name = std::function<std::string(const WallClock&)>;
  BucketRule(const char* what, std::optional<std::uint32_t> count, Name name)
      : m_what(what), m_count(count.value_or(0)), m_name(std::move(name)) {}

  // The reason to keep it, or nothing. All buckets seen are remembered, not only the last: where clocks went back over
  // midnight a day comes twice.
  std::optional<std::string> offer(const WallClock& at) {
    if (m_seen.size() >= m_count) return std::nullopt;
    const auto [bucket, is_new] = m_seen.insert(m_name(at));
    if (!is_new) return std::nullopt;
    return fmt::format("{} {}", m_what, *bucket);
  }

 private:
  const char* m_what;
  std::uint32_t m_count;
  Name m_name;
  std::set<std::string> m_seen;
};

std::string within_text(Nanoseconds within) {
  const auto whole = duration_cast<hours>(within).count();
  return whole % 24 == 0 ? fmt::format("within {}d", whole / 24) : fmt::format("within {}h", whole);
}

std::string_view class_name(Wholeness least) {
  switch (least) {
    case Wholeness::doubtful:
      break;
    case Wholeness::incomplete:
      return " of those not in doubt";
    case Wholeness::complete:
      return " of the complete ones";
  }
  return "";
}

// The indices of the candidates that count, newest first; what does not count gets its reason.
std::vector<std::size_t> sort_out(std::span<const RetentionCandidate> candidates,
                                  std::vector<RetentionDecision>& decisions) {
  std::vector<std::size_t> counted;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].pinned) decisions[i].reasons.emplace_back("pinned");
    if (!candidates[i].trusted) {
      decisions[i].reasons.emplace_back("unsigned or untrusted: left alone");
    } else if (is_future_dated(candidates[i].cut_point, candidates[i].stored_at)) {
      decisions[i].reasons.emplace_back("future-dated");
    } else {
      counted.push_back(i);
    }
  }
  std::sort(counted.begin(), counted.end(), [&](std::size_t a, std::size_t b) {
    return std::tie(candidates[b].cut_point, candidates[b].id) < std::tie(candidates[a].cut_point, candidates[a].id);
  });
  return counted;
}

void apply_rules(std::span<const RetentionCandidate> candidates, std::span<const std::size_t> newest_first,
                 const RetentionPolicy& policy, Time now, std::vector<std::vector<std::string>>& kept) {
  const date::time_zone* zone = find_zone(policy.time_zone);
  const auto hour = [zone](const WallClock& at) { return hour_name(at, zone != nullptr); };
  std::vector<BucketRule> rules;
  rules.emplace_back("hourly", policy.keep_hourly, hour);
  rules.emplace_back("daily", policy.keep_daily, day_name);
  rules.emplace_back("weekly", policy.keep_weekly, week_name);
  rules.emplace_back("monthly", policy.keep_monthly, month_name);
  rules.emplace_back("yearly", policy.keep_yearly, year_name);

  const std::uint32_t last = policy.keep_last.value_or(0);
  const bool within = policy.keep_within && *policy.keep_within > Nanoseconds{0};
  std::optional<Time> newest;
  std::uint32_t position = 0;
  for (const std::size_t i : newest_first) {
    const auto& candidate = candidates[i];
    auto& reasons = kept[i];
    if (!newest) newest = candidate.cut_point;
    if (++position <= last) reasons.push_back(fmt::format("last {}/{}", position, last));
    const auto at = wall_clock(candidate.cut_point, zone);
    for (auto& rule : rules) {
      if (auto reason = rule.offer(at)) reasons.push_back(std::move(*reason));
    }
    if (within && candidate.cut_point >= shifted(std::min(*newest, now), -*policy.keep_within)) {
      reasons.push_back(within_text(*policy.keep_within));
    }
  }
}

// held: whether there is a reason already to keep what no rule keeps.
void keep_minimum(std::span<const std::size_t> newest_first, std::uint32_t minimum,
                  const std::vector<RetentionDecision>& held, std::vector<std::vector<std::string>>& kept) {
  const std::uint32_t wanted = std::max<std::uint32_t>(minimum, 1);
  const auto is_kept = [&](std::size_t i) { return !kept[i].empty() || !held[i].reasons.empty(); };
  auto count = static_cast<std::size_t>(std::count_if(newest_first.begin(), newest_first.end(), is_kept));
  for (const std::size_t i : newest_first) {
    if (count >= wanted) return;
    if (is_kept(i)) continue;
    kept[i].push_back(fmt::format("minimum {}", wanted));
    ++count;
  }
}

// Keeps what the rules keep of the candidates that hold so much at least, as if there were no others.
void keep_of_class(Wholeness least, std::span<const RetentionCandidate> candidates,
                   std::span<const std::size_t> newest_first, const RetentionPolicy& policy, Time now,
                   std::vector<RetentionDecision>& decisions) {
  std::vector<std::size_t> among;
  std::copy_if(newest_first.begin(), newest_first.end(), std::back_inserter(among),
               [&](std::size_t i) { return candidates[i].wholeness >= least; });
  // As before, where the ones left out are none.
  if (least != Wholeness::doubtful && among.size() == newest_first.size()) return;
  std::vector<std::vector<std::string>> kept(candidates.size());
  apply_rules(candidates, among, policy, now, kept);
  keep_minimum(among, policy.minimum, decisions, kept);
  for (const std::size_t i : among) {
    // A snapshot that a wider class keeps needs no second reason.
    const bool wide = std::any_of(decisions[i].reasons.begin(), decisions[i].reasons.end(),
                                  [](const std::string& reason) { return reason != "pinned"; });
    if (least != Wholeness::doubtful && wide) continue;
    for (auto& reason : kept[i]) decisions[i].reasons.push_back(std::move(reason).append(class_name(least)));
  }
}

// It takes the slots that it would take anyway; so this comes after the rules.
void keep_proven(std::span<const RetentionCandidate> candidates, std::span<const std::size_t> newest_first,
                 std::vector<RetentionDecision>& decisions) {
  Proven found = Proven::no;
  for (const std::size_t i : newest_first) {
    // One from another store does for the content, and says nothing of the packs here.
    if (candidates[i].proven <= found) continue;
    found = candidates[i].proven;
    decisions[i].reasons.emplace_back(found == Proven::here ? "newest proven by a drill"
                                                            : "newest proven by a drill, from another store");
  }
}

}  // namespace

bool RetentionPolicy::has_rule() const noexcept {
  const auto counts = {keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly};
  return std::any_of(counts.begin(), counts.end(), [](const auto& count) { return count.value_or(0) > 0; }) ||
         keep_within.value_or(Nanoseconds{0}) > Nanoseconds{0};
}

std::vector<RetentionDecision> decide_retention(std::span<const RetentionCandidate> candidates,
                                                const RetentionPolicy& policy, Time now) {
  std::vector<RetentionDecision> decisions(candidates.size());
  const auto counted = sort_out(candidates, decisions);
  if (!policy.has_rule()) {
    for (const std::size_t i : counted) decisions[i].reasons.emplace_back("no keep rule");
    return decisions;
  }
  for (const auto least : {Wholeness::doubtful, Wholeness::incomplete, Wholeness::complete}) {
    keep_of_class(least, candidates, counted, policy, now, decisions);
  }
  keep_proven(candidates, counted, decisions);
  for (auto& decision : decisions) {
    if (!decision.reasons.empty()) continue;
    decision.verdict = Verdict::remove;
    decision.reasons.emplace_back("no rule keeps it");
  }
  return decisions;
}

void check_time_zone(const std::string& name) {
  find_zone(name);
}

Nanoseconds parse_keep_within(std::string_view text) {
  const auto duration = parse_duration(text);
  if (!duration || text.find_first_of("ms") != std::string_view::npos) {
    throw Error(ErrorKind::usage, fmt::format("invalid time to keep snapshots for: {}", quote_given(text)),
                "write hours, days, weeks or years, for example 36h, 7d, 2w, 1y");
  }
  return *duration;
}

}  // namespace cairn
