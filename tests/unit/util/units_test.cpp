#include "util/units.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using namespace std::chrono_literals;

TEST_CASE("sizes for people") {
  CHECK(format_size(0) == "0 B");
  CHECK(format_size(1023) == "1023 B");
  CHECK(format_size(1024) == "1.0 KiB");
  CHECK(format_size(1536) == "1.5 KiB");
  CHECK(format_size(102'400) == "100 KiB");
  CHECK(format_size(k_mib - 1) == "1.0 MiB");
  CHECK(format_size(3 * k_gib) == "3.0 GiB");
  CHECK(format_size(UINT64_MAX) == "16.0 EiB");
}

TEST_CASE("sizes from people") {
  CHECK(parse_size("0") == 0);
  CHECK(parse_size("512") == 512);
  CHECK(parse_size("512 B") == 512);
  CHECK(parse_size("64k") == 64 * k_kib);
  CHECK(parse_size("64K") == 64 * k_kib);
  CHECK(parse_size("16MiB") == 16 * k_mib);
  CHECK(parse_size("16 Mi") == 16 * k_mib);
  CHECK(parse_size("1.5 GB") == 1'500'000'000);
  CHECK(parse_size("2T") == 2048 * k_gib);
  for (const char* bad : {"", " ", "k", "-1", "1..5", "1.", ".5", "1 x", "1 kib", "1KBs", "1e3", "99999999999T", "0x10",
                          "1 0", "1Mi B"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_size(bad));
  }
  CHECK_FALSE(parse_size(std::string(400, '9')));
}

TEST_CASE("durations for people") {
  CHECK(format_duration(0s) == "0 ms");
  CHECK(format_duration(999ms) == "999 ms");
  CHECK(format_duration(1s) == "1.0 s");
  CHECK(format_duration(59900ms) == "59.9 s");
  CHECK(format_duration(59990ms) == "1 min 0 s");
  CHECK(format_duration(200s) == "3 min 20 s");
  CHECK(format_duration(2h + 5min) == "2 h 5 min");
  CHECK(format_duration(99h) == "4 d 3 h");
  CHECK(format_duration(-2s) == "-2.0 s");
}

TEST_CASE("durations from people") {
  CHECK(parse_duration("90s") == 90s);
  CHECK(parse_duration("15m") == 15min);
  CHECK(parse_duration("2h") == 2h);
  CHECK(parse_duration("7d") == 168h);
  CHECK(parse_duration("2w") == 336h);
  CHECK(parse_duration("1y") == 8760h);
  CHECK(parse_duration("1h30m") == 90min);
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("0.5h") == 30min);
  CHECK(parse_duration("0s") == 0s);
  for (const char* bad :
       {"", "5", "h", "-1h", "1h 30m", "1h30", "1x", "1.h", "1000y", "9999999999999999999999s", "1H"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad));
  }
}
