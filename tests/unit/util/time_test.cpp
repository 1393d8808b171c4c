#include "util/time.hpp"

#include <cstdlib>
#include <ctime>
#include <limits>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono;

TEST_CASE("time: both text forms, and back") {
  const Time t{nanoseconds{1795231450123456789}};
  CHECK(format_time(t) == "2026-11-21T03:24:10.123456789Z");
  CHECK(format_time_compact(t) == "20261121T032410.123456789Z");
  CHECK(format_time_short(t) == "2026-11-21 03:24:10 UTC");
  for (const std::int64_t ns :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1}, std::int64_t{-86'400'000'000'001},
        std::int64_t{951'782'400'000'000'000},  // 2000-02-29
        std::int64_t{9223372035} * 1'000'000'000 + 999'999'999, std::int64_t{-9223372036} * 1'000'000'000}) {
    const Time at{nanoseconds{ns}};
    CHECK(parse_time(format_time(at)) == at);
    CHECK(parse_time_exact(format_time(at)) == at);
    CHECK(parse_time_compact(format_time_compact(at)) == at);
  }
  CHECK(format_time(Time{}) == "1970-01-01T00:00:00.000000000Z");
  CHECK(format_time(Time{nanoseconds{-1}}) == "1969-12-31T23:59:59.999999999Z");
}

TEST_CASE("time: RFC 3339 with fewer digits or an offset") {
  const auto base = parse_time("2026-11-21T03:24:10Z");
  REQUIRE(base);
  CHECK(parse_time("2026-11-21T03:24:10.5Z") == *base + milliseconds{500});
  CHECK(parse_time("2026-11-21t03:24:10z") == base);
  CHECK(parse_time("2026-11-21 03:24:10+00:00") == base);
  CHECK(parse_time("2026-11-21T04:24:10+01:00") == base);
  CHECK(parse_time("2026-11-20T20:54:10-06:30") == base);
  CHECK(parse_time("2026-12-31T23:59:60Z") == parse_time("2027-01-01T00:00:00Z"));
}

TEST_CASE("time: what is not a time is refused") {
  for (const char* bad : {"",
                          "2026",
                          "2026-11-21",
                          "2026-11-21T03:24:10",
                          "2026-11-21T03:24:10.",
                          "2026-11-21T03:24:10.Z",
                          "2026-11-21T03:24:10.1234567890Z",
                          "2026-02-29T00:00:00Z",
                          "2026-13-01T00:00:00Z",
                          "2026-00-01T00:00:00Z",
                          "2026-01-00T00:00:00Z",
                          "2026-01-32T00:00:00Z",
                          "2026-01-01T24:00:00Z",
                          "2026-01-01T00:60:00Z",
                          "2026-01-01T00:00:61Z",
                          "2026-01-01T00:00:00+1:00",
                          "2026-01-01T00:00:00+24:00",
                          "2026-01-01T00:00:00+01:60",
                          "2026-01-01T00:00:00ZZ",
                          " 2026-01-01T00:00:00Z",
                          "2026/01/01T00:00:00Z",
                          "-026-01-01T00:00:00Z",
                          "2026-01-01T00:00:00+0100",
                          "2026-01-01T-1:00:00Z"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_time(bad));
  }
}

TEST_CASE("time: the range is that of 64-bit nanoseconds, and nothing overflows beyond it") {
  CHECK(parse_time("1677-09-21T00:12:44Z"));
  CHECK_FALSE(parse_time("1677-09-21T00:12:43Z"));
  CHECK(parse_time("2262-04-11T23:47:15.999999999Z"));
  CHECK_FALSE(parse_time("2262-04-11T23:47:16Z"));
  CHECK_FALSE(parse_time("0001-01-01T00:00:00Z"));
  CHECK_FALSE(parse_time("9999-12-31T23:59:59Z"));
  CHECK_FALSE(parse_time("1677-09-21T00:12:44+00:01"));
  CHECK_FALSE(parse_time("2262-04-11T23:47:15-00:01"));
}

TEST_CASE("time: differences and sums stop at the ends of the range") {
  using namespace std::chrono_literals;
  const Time early = *parse_time("1677-09-21T00:12:44Z");
  const Time late = *parse_time("2262-04-11T23:47:15Z");
  CHECK(elapsed(early, late) == Nanoseconds::max());
  CHECK(elapsed(late, early) == Nanoseconds::min());
  CHECK(elapsed(early, early + 5s) == 5s);
  CHECK(elapsed(early + 5s, early) == -5s);
  CHECK(shifted(late, 1h) == Time::max());
  CHECK(shifted(early, -1h) == Time::min());
  CHECK(shifted(early, 1h) == early + 1h);
}

TEST_CASE("time: the exact forms have one spelling") {
  CHECK(parse_time_exact("2026-11-21T03:24:10.123456789Z"));
  for (const char* bad :
       {"2026-11-21T03:24:10Z", "2026-11-21T03:24:10.12345678Z", "2026-11-21t03:24:10.123456789Z",
        "2026-11-21 03:24:10.123456789Z", "2026-11-21T03:24:10.123456789z", "2026-11-21T03:24:60.123456789Z",
        "2026-11-21T03:24:10.123+00:00Z", "2026-11-21T03:24:10.1234+00:00"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_time_exact(bad));
  }
  CHECK(parse_time_compact("20261121T032410.123456789Z"));
  for (const char* bad : {"", "20261121T032410Z", "20261121T032410.12345678Z", "20261121t032410.123456789Z",
                          "20261121T032410.123456789z", "20261121T032460.123456789Z", "20261131T032410.123456789Z",
                          "2026-1121T03241.123456789Z", "20261121T032410.1234567890", "20261121T032410.123+00:00"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_time_compact(bad));
  }
}

TEST_CASE("time: HTTP dates") {
  CHECK(parse_http_date("Sat, 21 Nov 2026 03:24:10 GMT") == parse_time("2026-11-21T03:24:10Z"));
  for (const char* bad :
       {"", "Sat, 21 Nov 2026 03:24:10 UTC", "Sat, 21 Foo 2026 03:24:10 GMT", "Saturday, 21-Nov-26 03:24:10 GMT",
        "Sat, 31 Nov 2026 03:24:10 GMT", "Sat, 21 Nov 9999 03:24:10 GMT"}) {
    CHECK_FALSE(parse_http_date(bad));
  }
}

TEST_CASE("time: people may see it in their own zone, with the offset that holds then") {
  const char* const before = std::getenv("TZ");
  const std::string kept = before != nullptr ? before : "";
  ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  ::tzset();
  show_times(TimeZoneShown::local);
  CHECK(format_time_short(parse_time("2026-11-21T03:24:10.5Z").value()) == "2026-11-21 04:24:10 +0100");
  CHECK(format_time_short(parse_time("2026-07-01T23:30:00Z").value()) == "2026-07-02 01:30:00 +0200");
  CHECK(format_time_short(parse_time("1969-12-31T23:59:59.5Z").value()) == "1970-01-01 00:59:59 +0100");
  CHECK(format_time(parse_time("2026-07-01T23:30:00Z").value()) == "2026-07-01T23:30:00.000000000Z");
  show_times(TimeZoneShown::utc);
  before != nullptr ? ::setenv("TZ", kept.c_str(), 1) : ::unsetenv("TZ");
  ::tzset();
  CHECK(format_time_short(parse_time("2026-11-21T03:24:10.5Z").value()) == "2026-11-21 03:24:10 UTC");
}
