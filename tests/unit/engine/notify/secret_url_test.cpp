#include "engine/notify/secret_url.hpp"

#include "unit/support.hpp"

#include <doctest/doctest.h>

using namespace cairn;

TEST_CASE("secret URL: shown is where it goes, and nothing else") {
  const auto url = SecretUrl::parse("https://user:pass-word@ping.example.net:8443/tokens/abcd-efgh?key=zyxw");
  CHECK(url.shown() == "https://ping.example.net:8443");
  CHECK(url.below("start") == "https://user:pass-word@ping.example.net:8443/tokens/abcd-efgh/start?key=zyxw");
  CHECK(SecretUrl::parse("http://h").below("fail") == "http://h/fail");
  CHECK(SecretUrl::parse("http://h/a/").below("fail") == "http://h/a/fail");
  CHECK(SecretUrl::parse("http://[::1]:8000/a").shown() == "http://[::1]:8000");
}

TEST_CASE("secret URL: it is taken out of what others say") {
  const auto url = SecretUrl::parse("https://user:pass-word@ping.example.net/tokens/abcd-efgh?key=zyxw");
  for (const char* text :
       {"cannot parse https://user:pass-word@ping.example.net/tokens/abcd-efgh?key=zyxw", "no such path: abcd-efgh",
        "option zyxw", "login pass-word refused", "GET /tokens/abcd-efgh?key=zyxw"}) {
    const std::string left = url.without(text);
    for (const char* secret : {"abcd-efgh", "zyxw", "pass-word"}) CHECK(left.find(secret) == std::string::npos);
  }
  CHECK(url.without("unable to resolve ping.example.net") == "unable to resolve ping.example.net");
}

TEST_CASE("secret URL: what is none is refused without being repeated") {
  for (const char* wrong : {"", "secret", "ftp://secret/x", "https://", "https:///secret", "https://user@/secret",
                            "https://h/sec ret", "https://h/secret\nx", "https://h/secret#x", "https://:80/secret",
                            "https://se<cret/", "file:///secret", "https://h\xc3\xb6st/secret"}) {
    const auto message = test::message_of([&] { SecretUrl::parse(wrong); });
    CHECK_MESSAGE(message.starts_with("invalid URL: "), wrong);
    CHECK_MESSAGE(message.find("secret") == std::string::npos, message);
  }
}
