#include "util/utf8.hpp"

#include "util/error.hpp"

#include <string_view>

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("UTF-8: first and last of each length, and everything RFC 3629 forbids") {
  using namespace std::string_view_literals;
  for (const auto good : {""sv, "\0"sv, "\x7f"sv, "\xc2\x80"sv, "\xdf\xbf"sv, "\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv,
                          "\xee\x80\x80"sv, "\xef\xbf\xbf"sv, "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv}) {
    CHECK(is_valid_utf8(good));
    CHECK(utf8_sequence_length(good) == good.size());
  }
  for (const auto bad : {"\x80"sv, "\xbf"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xc2"sv, "\xc2\x7f"sv, "\xc2\xc0"sv,
                         "\xe0\x9f\xbf"sv, "\xed\xa0\x80"sv, "\xed\xbf\xbf"sv, "\xe1\x80"sv, "\xf0\x8f\xbf\xbf"sv,
                         "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xf1\x80\x80"sv, "\xff"sv, "a\xfe"sv}) {
    CHECK_FALSE(is_valid_utf8(bad));
  }
}

TEST_CASE("terminal_safe: control bytes and bad UTF-8 are shown, not sent") {
  CHECK(quote("/srv/naïve name") == "'/srv/naïve name'");
  CHECK(terminal_safe("a\nb\x1b[2J\x7f") == "a\\x0ab\\x1b[2J\\x7f");
  CHECK(terminal_safe("\xc2\x9b"
                      "31m") == "\\xc2\\x9b31m");
  CHECK(terminal_safe("x\xff\xc3") == "x\\xff\\xc3");
}
