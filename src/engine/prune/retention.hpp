// Which snapshots of one series a policy keeps, and why. Pure: no store is asked, nothing is removed (a named time zone
// is looked up in the system's database).
//
// A count keeps the newest snapshot of each of the N newest hours, days, ISO weeks, months or years that have one;
// every rule counts for itself, so that one snapshot may serve several (as in restic and borg).
#pragma once

#include "codec/digest.hpp"
#include "util/time.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

struct RetentionPolicy {
  // Zero keeps none, the same as no value.
  std::optional<std::uint32_t> keep_last;
  std::optional<std::uint32_t> keep_hourly;
  std::optional<std::uint32_t> keep_daily;
  std::optional<std::uint32_t> keep_weekly;
  std::optional<std::uint32_t> keep_monthly;
  std::optional<std::uint32_t> keep_yearly;
  // Everything that is at most so much older than the series' newest snapshot, or than now where that is earlier: a
  // backup that stopped does not run empty.
  std::optional<Nanoseconds> keep_within;
  // Never fewer counted snapshots than that remain (the newest ones that no rule keeps make up for it); at least 1.
  std::uint32_t minimum = 1;
  // Where hours, days, weeks, months and years begin: a name of the IANA database; empty for UTC.
  std::string time_zone;

  // Whether any rule keeps anything. Where none does, all snapshots are left alone; minimum is no rule.
  bool has_rule() const noexcept;
  bool operator==(const RetentionPolicy&) const = default;
};

// How much of what it should hold a snapshot holds, in ascending order.
enum class Wholeness {
  doubtful,    // emptied or shrunk: see Record::doubt
  incomplete,  // some paths could not be read
  complete,
};

// Whether the newest drill of a snapshot that counts passed.
enum class Proven {
  no,
  elsewhere,  // from another store: its content, and not the packs of this one
  here,
};

struct RetentionCandidate {
  Digest id;
  Time cut_point;
  Time stored_at;  // of the manifest, by the store's clock
  bool pinned = false;
  bool trusted = true;  // false: unsigned or signed by a key that is not trusted, where any key is trusted
  Wholeness wholeness = Wholeness::complete;
  Proven proven = Proven::no;
};

enum class Verdict { keep, remove };

struct RetentionDecision {
  Verdict verdict = Verdict::keep;
  // "last 3/24", "daily 2026-11-20", "within 7d", "pinned", "newest proven by a drill", ...; of a removed one "no rule
  // keeps it". One that only its completeness keeps: "last 1/24 of the complete ones". Never empty.
  std::vector<std::string> reasons;
};

// Decides on the snapshots of one series; result[i] is of candidates[i], whatever their order. Each id once.
//   - The order is that of the cut points, then of the ids: the greater is the newer.
//   - Neither counted nor removed: untrusted snapshots, and those that were future-dated at stored_at.
//   - The newest that a drill has proven is kept, and the newest that one has proven here, whatever the rules say.
//   - A pinned snapshot is kept, and takes the slots it would take without the pin.
//   - No snapshot displaces a more complete one. Those that the rules (the minimum too) keep of the complete ones
//     alone, and of those alone that are not in doubt, are kept besides what they keep of all.
// Throws Error(usage) for an unknown time zone.
std::vector<RetentionDecision> decide_retention(std::span<const RetentionCandidate> candidates,
                                                const RetentionPolicy& policy, Time now);

// Throws Error(usage) where the name is not in the system's time zone database. "" and "UTC" need no database.
void check_time_zone(const std::string& name);

// The values of keep_within: sums of h, d, w and y (365 days), as "7d" or "1d12h". No minutes, because "1m" is a month
// to users of restic and borg. Throws Error(usage).
Nanoseconds parse_keep_within(std::string_view text);

}  // namespace cairn
