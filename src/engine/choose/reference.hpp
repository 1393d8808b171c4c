// A user's name for a snapshot, and the snapshot that it means. Pure.
//
//   latest         the newest of all, where the store has one series (or a filter names it)
//   SERIES         the newest of a series
//   SERIES@TIME    the newest of it at or before a time: RFC 3339, the same without the seconds or the offset (UTC
//                  then), a date, or an age as "2h" before now
//   ID             64 hexadecimal digits, or as many of the first as no other snapshot has; at least 8
//
// A time is as wide as it is written: a date takes in its whole day, a time without a fraction its whole second, one
// without seconds its whole minute. So what a table shows, cut to seconds, can be given back.
//
// Room engine/choose: what a name means among the snapshots that there are. Reads no object but by listings and heads.
#pragma once

#include "codec/digest.hpp"
#include "engine/choose/dated_ahead.hpp"
#include "repo/layout.hpp"
#include "util/file.hpp"
#include "util/time.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cairn {

struct LatestReference {
  bool operator==(const LatestReference&) const = default;
};
struct SeriesReference {
  std::string series;
  bool operator==(const SeriesReference&) const = default;
};
struct TimeReference {
  std::string series;
  // The last instant that is meant, or how long before now it was.
  std::variant<Time, Nanoseconds> at;
  bool operator==(const TimeReference&) const = default;
};
struct IdReference {
  std::string prefix;  // 8 to 64 lower-case hexadecimal digits
  bool operator==(const IdReference&) const = default;
};
using Reference = std::variant<LatestReference, SeriesReference, TimeReference, IdReference>;

// Throws Error(usage), saying what about the text is wrong.
Reference parse_reference(std::string_view text);

// The first and the last instant that a time is, as it is written after '@'; of an age both are the same. Throws
// Error(usage).
struct WrittenInstants {
  Time first;
  Time last;
};
WrittenInstants parse_instants(std::string_view text, Time now);

struct ReferenceCandidate {
  Digest id;
  std::string series;
  Time cut_point;
  bool trusted = true;  // false: does not exist for any reference but one that names its id (Error(untrusted) then)
  Ahead ahead = Ahead::no;
};

// The index of the one that is meant; the newest is that of the latest cut point, then of the greatest id. Several
// candidates of one id are one snapshot. series: only those of it (from --series).
// Only its id names a snapshot that is dated ahead; but where clocks alone say so of all that there is, the newest is
// taken: they may be behind. passed_over, where given: the indices of those that would have been meant instead, newest
// first. Throws Error: usage (ambiguous, or reference and filter name different series), not_found, untrusted. The hint
// names what there is instead.
std::size_t resolve_reference(const Reference& reference, std::span<const ReferenceCandidate> candidates,
                              const std::optional<std::string>& series, Time now,
                              std::vector<std::size_t>* passed_over = nullptr);

// Throws Error(usage) with the rule as its hint.
void check_series(std::string_view series);

// The series of a path that was given no name: its last component, where other characters than a series may have become
// '-'. Lexical: the caller makes a path as "." absolute before. Throws Error(usage) with the advice to give --series.
std::string default_series(const fs::path& path);

}  // namespace cairn
