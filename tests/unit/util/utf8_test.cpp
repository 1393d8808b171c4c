#include "util/utf8.hpp"

#include "util/error.hpp"

#include <string>
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

TEST_CASE("terminal_safe: what turns, hides or breaks the text around it is shown, not sent") {
  // Each of them in the middle of a name.
  for (const int number : {0x00ad, 0x034f, 0x061c, 0x115f, 0x180e, 0x200b,  0x200c,  0x200d,  0x200e,  0x200f, 0x2028,
                           0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e,  0x2060,  0x2066,  0x2067,  0x2068, 0x2069,
                           0x206f, 0x3164, 0xfeff, 0xfff9, 0xfffe, 0x1d173, 0xe0001, 0xe0041, 0x10ffff}) {
    CAPTURE(number);
    const auto c = static_cast<char32_t>(number);
    std::string name = "invoice";
    if (c < 0x800) {
      name += static_cast<char>(0xc0 | c >> 6);
    } else if (c < 0x10000) {
      name += static_cast<char>(0xe0 | c >> 12);
      name += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    } else {
      name += static_cast<char>(0xf0 | c >> 18);
      name += static_cast<char>(0x80 | (c >> 12 & 0x3f));
      name += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    }
    name += static_cast<char>(0x80 | (c & 0x3f));
    REQUIRE(is_valid_utf8(name));
    CHECK(utf8_code_point(std::string_view{name}.substr(7)) == c);
    const std::string shown = terminal_safe(name + "fdp.exe");
    CHECK(shown.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.\\") == std::string::npos);
    CHECK(shown.starts_with("invoice\\x"));
    CHECK(shown.ends_with("fdp.exe"));
  }
  CHECK(terminal_safe("a\u202eb") == R"(a\xe2\x80\xaeb)");
  // Letters of other scripts, combining accents, emoji with their selector, private use.
  for (const char* name : {"שלום", "مرحبا", "नमस्ते", "e\u0301", "❤\ufe0f", "日本語", "\ue000", "\U0001f600", " ~"}) {
    CHECK(terminal_safe(name) == name);
  }
}

TEST_CASE("terminal_safe: control bytes and bad UTF-8 are shown, not sent") {
  CHECK(quote("/srv/naïve name") == "'/srv/naïve name'");
  CHECK(terminal_safe("a\nb\x1b[2J\x7f") == "a\\x0ab\\x1b[2J\\x7f");
  CHECK(terminal_safe("\xc2\x9b"
                      "31m") == "\\xc2\\x9b31m");
  CHECK(terminal_safe("x\xff\xc3") == "x\\xff\\xc3");
}
