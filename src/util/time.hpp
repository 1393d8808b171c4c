// Points in time as the format writes them: nanoseconds since 1970, UTC, RFC 3339 with nine digits.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

using Time = std::chrono::sys_time<std::chrono::nanoseconds>;
using Nanoseconds = std::chrono::nanoseconds;

// "2026-11-21T03:24:10.123456789Z". The range is that of 64-bit nanoseconds, but for the first and the last second:
// from 1677-09-21T00:12:44 to 2262-04-11T23:47:15 and its fractions. The parsers take the same range.
std::string format_time(Time time);
// "20261121T032410.123456789Z": the same instant in an object name.
std::string format_time_compact(Time time);
// "2026-11-21 03:24:10 UTC", seconds, for people; where show_times() said so in this machine's zone, with its offset
// then: "2026-11-21 04:24:10 +0100".
std::string format_time_short(Time time);
enum class TimeZoneShown { utc, local };
// How this process shows times to people from now on. Any thread.
void show_times(TimeZoneShown zone) noexcept;

// Differences and sums that stop at the ends of the range: what other hosts wrote may lie further apart than 64-bit
// nanoseconds count.
Nanoseconds elapsed(Time from, Time to) noexcept;
Time shifted(Time time, Nanoseconds by) noexcept;

// RFC 3339 as format_time writes it, or with fewer (0 to 9) fraction digits, or with an offset instead of Z.
std::optional<Time> parse_time(std::string_view text);
// Only what format_time and format_time_compact write: in the format an instant has one spelling.
std::optional<Time> parse_time_exact(std::string_view text);
std::optional<Time> parse_time_compact(std::string_view text);

// "Sat, 21 Nov 2026 03:24:10 GMT" (RFC 9110 IMF-fixdate), as HTTP's Date header has it.
std::optional<Time> parse_http_date(std::string_view text);

}  // namespace cairn
