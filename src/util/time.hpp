// Points in time as the format writes them: nanoseconds since 1970, UTC, RFC 3339 with nine digits.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

using Time = std::chrono::sys_time<std::chrono::nanoseconds>;
using Nanoseconds = std::chrono::nanoseconds;

// "2026-11-21T03:24:10.123456789Z". Covers the years 1678 to 2261 (what 64-bit nanoseconds hold).
std::string format_time(Time time);
// "20261121T032410.123456789Z": the same instant in an object name.
std::string format_time_compact(Time time);
// "2026-11-21 03:24:10 UTC", seconds, for people.
std::string format_time_short(Time time);

// RFC 3339 as format_time writes it, or with fewer (0 to 9) fraction digits, or with an offset instead of Z.
std::optional<Time> parse_time(std::string_view text);
std::optional<Time> parse_time_compact(std::string_view text);

// "Sat, 21 Nov 2026 03:24:10 GMT" (RFC 9110 IMF-fixdate), as HTTP's Date header has it.
std::optional<Time> parse_http_date(std::string_view text);

}  // namespace cairn
