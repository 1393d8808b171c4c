#include "store/s3/endpoint.hpp"

#include "unit/support.hpp"
#include "util/error.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::s3;

namespace {

AwsEnvironment environment(std::map<std::string, std::string, std::less<>> variables = {}) {
  return AwsEnvironment{[variables](std::string_view name) -> std::optional<std::string> {
                          const auto at = variables.find(name);
                          return at == variables.end() ? std::nullopt : std::optional{at->second};
                        },
                        std::nullopt, [](const std::string&) { return std::nullopt; }};
}

std::string address_of(std::string_view url, std::string_view key = "a/b", std::string_view region = {}) {
  const Location location = locate(std::get<S3Url>(parse_store_url(url)), StoreAddress{}, environment());
  const RequestTarget target = target_of(location, region.empty() ? std::string_view{location.region} : region, key);
  return target.scheme + "://" + target.host + target.path;
}

}  // namespace

TEST_CASE("s3 url: bucket, prefix and options") {
  const auto parse = [](std::string_view text) { return std::get<S3Url>(parse_store_url(text)); };
  CHECK(parse("s3://bucket").bucket == "bucket");
  CHECK(parse("s3://bucket").prefix.empty());
  CHECK(parse("s3://bucket/").prefix.empty());
  CHECK(parse("s3://bucket/a/b/").prefix == "a/b");
  const auto full = parse("s3://my.bucket/p?endpoint=http%3A%2F%2F127.0.0.1:9000&region=eu-1&style=path");
  CHECK(full.bucket == "my.bucket");
  CHECK(full.prefix == "p");
  CHECK(full.endpoint == "http://127.0.0.1:9000");
  CHECK(full.region == "eu-1");
  CHECK(full.style == "path");
  CHECK(parse("s3://b/p?endpoint=https://e/x").endpoint == "https://e/x");
  for (const char* bad :
       {"s3://", "s3:///p", "s3://b@c/p", "s3://b:80/p", "s3://b//p", "s3://b/a/../b", "s3://b/a b",
        "s3://b/p?nothing=1", "s3://b/p?region", "s3://b/p?region=a&region=b", "s3://b/p?region=%4", "s3://b/p#x"}) {
    INFO(bad);
    CHECK_THROWS_AS(parse_store_url(bad), Error);
  }
}

TEST_CASE("store url: no message shows what may be a secret") {
  for (const char* bad :
       {"s3://AKIA:HUSH@bucket/p", "s3://AKIA:HU/HUSH@bucket", "s3://AKIA:HU?HUSH@bucket", "s3://AKIA:HU#HUSH@bucket",
        "s3://AKIA:HUSH%40bucket/p", "https://user:HUSH@host/bucket", "S3://AKIA:HUSH@bucket",
        "file://user:HUSH@host/path", "s3://bucket?endpoint=https://u:HUSH@h&regoin=x", "s3://bucket?secret_key=HUSH",
        "s3://bucket/p?endpoint=https://u:HUSH@h&style=path&style=path", "s3://bucket?endpoint=https://u:HU&HUSH@h",
        "s3://bucket?HUSH", "s3://bucket?secret=HUSH&region=%4", "s3://bucket/p#HUSH"}) {
    INFO(bad);
    const std::string message = test::message_of([&] { parse_store_url(bad); });
    CHECK(message.starts_with("invalid store '"));
    CHECK(message.find("HUSH") == std::string::npos);
  }
  for (const char* bad : {"user:HUSH@host", "HTTPS://user:HUSH@host", "https://host?key=HUSH", "https://u:HUSH@h?a",
                          "https://u:HUSH@h:port", "https://user:HUSH%40host"}) {
    INFO(bad);
    const std::string message = test::message_of([&] { parse_endpoint(bad); });
    CHECK(message.starts_with("invalid endpoint"));
    CHECK(message.find("HUSH") == std::string::npos);
  }
  CHECK(test::message_of([] { parse_store_url("s3://AKIA:HUSH@bucket/p"); }) ==
        "invalid store 's3://...@bucket/p': the bucket name is missing or has characters that no bucket has");
  CHECK(without_secrets("s3://bucket/p?regoin=x&style=path") == "s3://bucket/p?regoin=...&style=...");
  for (const char* plain : {"", "name", "state@2h", "/a/b=c?d=e", "s3://bucket/a=b", "https://host:9000"}) {
    CHECK(without_secrets(plain) == plain);
  }
}

TEST_CASE("store url: what is a path stays one") {
  for (const char* path : {"a", "./a", "/a:b", "./a:b", "/C:/x", "://", "a/b://c"}) {
    INFO(path);
    CHECK(std::get<fs::path>(parse_store_url(path)) == path);
  }
}

TEST_CASE("s3 endpoint: virtual-host style on AWS, path style elsewhere and for dotted names") {
  CHECK(address_of("s3://bucket/p") == "https://bucket.s3.us-east-1.amazonaws.com/a/b");
  CHECK(address_of("s3://bucket", "", "eu-west-3") == "https://bucket.s3.eu-west-3.amazonaws.com/");
  CHECK(address_of("s3://bucket?region=cn-north-1") == "https://bucket.s3.cn-north-1.amazonaws.com.cn/a/b");
  CHECK(address_of("s3://my.bucket") == "https://s3.us-east-1.amazonaws.com/my.bucket/a/b");
  CHECK(address_of("s3://Old_Bucket") == "https://s3.us-east-1.amazonaws.com/Old_Bucket/a/b");
  CHECK(address_of("s3://bucket?style=path", "") == "https://s3.us-east-1.amazonaws.com/bucket");
  CHECK(address_of("s3://bucket?endpoint=http://h:9000") == "http://h:9000/bucket/a/b");
  CHECK(address_of("s3://bucket?endpoint=http://h:9000&style=virtual") == "http://bucket.h:9000/a/b");
  CHECK(address_of("s3://bucket?endpoint=https://h/base/path/") == "https://h/base/path/bucket/a/b");
}

TEST_CASE("s3 endpoint: the host has no default port") {
  CHECK(parse_endpoint("https://h:443").authority == "h");
  CHECK(parse_endpoint("http://h:80/").authority == "h");
  CHECK(parse_endpoint("http://h:443").authority == "h:443");
  CHECK(parse_endpoint("http://[::1]:9000").authority == "[::1]:9000");
  CHECK(parse_endpoint("http://[::1]").authority == "[::1]");
  for (const char* bad : {"", "h", "ftp://h", "https://", "https://:80", "https://h:0", "https://h:x",
                          "https://h:99999", "https://u:secret@h", "https://h?x", "https://h h", "https://[x]"}) {
    INFO(bad);
    try {
      parse_endpoint(bad);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      CHECK(error.message().find("secret") == std::string::npos);
    }
  }
}

TEST_CASE("s3 location: URL over configuration over environment") {
  StoreAddress address;
  address.endpoint = "https://configured";
  const auto aws = environment({{"AWS_REGION", "env-1"}, {"AWS_ENDPOINT_URL", "https://environment"}});
  const auto locate_url = [&](std::string_view url) {
    return locate(std::get<S3Url>(parse_store_url(url)), address, aws);
  };
  CHECK(locate_url("s3://b").endpoint->authority == "configured");
  CHECK(locate_url("s3://b").region == "env-1");
  CHECK(locate_url("s3://b?endpoint=https://url").endpoint->authority == "url");
  address.region = "conf-1";
  CHECK(locate_url("s3://b").region == "conf-1");
  CHECK(locate_url("s3://b?region=url-1").region == "url-1");
  address.endpoint = std::nullopt;
  CHECK(locate_url("s3://b").endpoint->authority == "environment");
  CHECK_THROWS_AS(locate_url("s3://b?style=odd"), Error);
  CHECK_THROWS_AS(locate_url("s3://b?region=a/b"), Error);
}
