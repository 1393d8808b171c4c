#include "util/json.hpp"

#include "unit/support.hpp"

#include <cmath>
#include <limits>
#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using test::failure_of;

TEST_CASE("JSON writer: exact text") {
  JsonWriter to;
  to.begin_object().member("a", 1).member("b", "x\"\\\n\t\r\x01\x7f/é").newline();
  to.key("c").begin_array().value(true).value(false).null().begin_object().end_object().begin_array().end_array();
  to.value(k_max_integer).value(std::int64_t{-5}).value(0.25).value(std::nan("")).end_array();
  to.member("d", std::optional<std::string>{}).member("e", std::optional{7U}).key("f").raw("[ 1 ]").end_object();
  CHECK(to.text() ==
        "{\"a\":1,\"b\":\"x\\\"\\\\\\n\\t\\r\\u0001\\u007f/é\"\n,\"c\":[true,false,null,{},[],"
        "9007199254740991,-5,0.25,null],\"d\":null,\"e\":7,\"f\":[ 1 ]}");
  CHECK_NOTHROW(Json::parse(to.text()));
}

TEST_CASE("JSON writer: text that is not UTF-8 is refused, not written") {
  for (const char* bad : {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80"}) {
    JsonWriter to;
    CHECK(failure_of([&] { to.value(bad); }) == ErrorKind::failed);
    CHECK(failure_of([&] { to.key(bad); }) == ErrorKind::failed);
  }
}

TEST_CASE("JSON writer: an integer that a reader would not take is refused, not written") {
  JsonWriter to;
  to.begin_array().value(k_max_integer);
  CHECK(failure_of([&] { to.value(k_max_integer + 1); }) == ErrorKind::failed);
  CHECK(Json::parse(to.end_array().text()).array().at(0).u64() == k_max_integer);
}

TEST_CASE("JSON: sums stop at the greatest integer") {
  CHECK(saturating_add(1, 2) == 3);
  CHECK(saturating_add(k_max_integer - 1, 1) == k_max_integer);
  CHECK(saturating_add(k_max_integer, 1) == k_max_integer);
  CHECK(saturating_add(UINT64_MAX, UINT64_MAX) == k_max_integer);
}

TEST_CASE("JSON: every string comes back") {
  std::string all;
  for (int c = 0; c < 0x80; ++c) all += static_cast<char>(c);
  all += "é\u20ac\U0001f600";
  std::string text;
  append_json_string(text, all);
  CHECK(Json::parse(text).string() == all);
  CHECK(Json::parse("\"\\ud83d\\ude00\\u0000x\"").string() == std::string{"\U0001f600\0x", 6});
}

TEST_CASE("JSON parser: types and ranges are checked") {
  const Json json = Json::parse(R"({"n":9007199254740991,"big":9007199254740992,"huge":18446744073709551615,
    "neg":-1,"min":-9223372036854775808,"frac":1.5,"exp":1e3,"s":"x","b":true,"z":null,
    "a":[1,2],"o":{"k":"v"}})");
  CHECK(json.at("n").u64() == 9007199254740991U);
  CHECK(json.at("neg").number() == -1);
  CHECK(json.at("frac").number() == 1.5);
  CHECK(json.at("b").boolean());
  CHECK(json.at("z").is_null());
  CHECK(json.at("a").array().size() == 2);
  CHECK(json.at("o").at("k").string() == "v");
  CHECK(json.find("none") == nullptr);
  for (const char* key : {"big", "huge", "neg", "min", "frac", "exp", "s", "b", "z", "a", "o"}) {
    CHECK(failure_of([&] { json.at(key).u64(); }) == ErrorKind::damaged);
  }
  CHECK(failure_of([&] { json.at("none"); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { json.at("n").at("x"); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { json.at("n").string(); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { json.at("s").array(); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { json.at("s").boolean(); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { json.at("s").number(); }) == ErrorKind::damaged);
}

TEST_CASE("JSON parser: members keep their order") {
  std::string keys;
  const Json json = Json::parse(R"({"z":1,"a":2,"m":3})");
  for (const auto& [key, value] : json.object()) keys += key;
  CHECK(keys == "zam");
}

TEST_CASE("JSON parser: what is not strict JSON is damaged") {
  for (const char* bad : {"",
                          " ",
                          "{",
                          "}",
                          "[1,]",
                          "{\"a\":1,}",
                          "{\"a\" 1}",
                          "{a:1}",
                          "{'a':1}",
                          "[1 2]",
                          "01",
                          "+1",
                          "1.",
                          ".5",
                          "nul",
                          "NaN",
                          "Infinity",
                          "\"a",
                          "\"\\x\"",
                          "\"\\u12\"",
                          "\"\n\"",
                          "\"\x01\"",
                          "{}{}",
                          "{} x",
                          "[1]//",
                          "\"\xff\"",
                          "\"\xc0\x80\"",
                          "\"\xed\xa0\x80\"",
                          "\"\\ud800\"",
                          "\"\\udc00\\ud800\"",
                          "{\"a\":1,\"a\":2}",
                          "[{\"x\":{\"a\":1,\"b\":2,\"a\":1}}]",
                          "{\"a\":1,\"\\u0061\":2}",
                          "\xef\xbb\xbf{}"}) {
    CAPTURE(bad);
    CHECK(failure_of([&] { Json::parse(bad); }) == ErrorKind::damaged);
  }
  CHECK(failure_of([&] { Json::parse({}); }) == ErrorKind::damaged);  // nothing, not even an address
}

TEST_CASE("JSON parser: depth is bounded") {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  CHECK_NOTHROW(Json::parse(nested(64)));
  CHECK_NOTHROW(Json::parse(std::string(64, '[') + "1" + std::string(64, ']')));
  CHECK(failure_of([&] { Json::parse(nested(65)); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { Json::parse(nested(100'000)); }) == ErrorKind::damaged);
  CHECK(failure_of([&] { Json::parse(std::string(100'000, '[')); }) == ErrorKind::damaged);
}

TEST_CASE("JSON: a member as it is written, but for line breaks") {
  const std::string text = "{\"a\":{\"x\":1},\n\"\\u0078\" : [ 1.50 ,\n{\"x\":\"\\n\"}] ,\"b\":-0}\n";
  CHECK(raw_member(text, "x") == "[ 1.50 ,{\"x\":\"\\n\"}]");
  CHECK(raw_member(text, "a") == "{\"x\":1}");
  CHECK(raw_member(text, "b") == "-0");
  CHECK(failure_of([&] { raw_member(text, "c"); }) == ErrorKind::damaged);
}

TEST_CASE("JSON parser: a document cut anywhere is damaged") {
  const std::string text = R"({"format":"x","list":[1,"two",{"three":null}],"t":true})";
  for (std::size_t n = 0; n < text.size(); ++n) {
    CHECK(failure_of([&] { Json::parse(text.substr(0, n)); }) == ErrorKind::damaged);
  }
}
