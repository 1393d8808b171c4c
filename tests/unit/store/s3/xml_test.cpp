#include "store/s3/xml.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::s3;

TEST_CASE("s3 xml: errors, with or without a namespace") {
  const auto plain =
      parse_error(as_bytes("<Error><Code>A</Code><Message>b &amp; c</Message><Region>r</Region></Error>"));
  REQUIRE(plain);
  CHECK(plain->code == "A");
  CHECK(plain->message == "b & c");
  CHECK(plain->region == "r");
  CHECK(parse_error(as_bytes("<?xml version=\"1.0\"?>\n<x:Error xmlns:x=\"u\"><x:Code>A</x:Code></x:Error>"))->code ==
        "A");
  CHECK_FALSE(parse_error(as_bytes("<Other/>")));
  CHECK_FALSE(parse_error(as_bytes("<Error><Code>A</Code>")));
  CHECK_FALSE(parse_error(as_bytes("not XML")));
  CHECK_FALSE(parse_error({}));
}

TEST_CASE("s3 xml: document types are refused, entities stay unexpanded") {
  CHECK_FALSE(parse_error(as_bytes("<!DOCTYPE Error [<!ENTITY a \"aaaa\">]><Error><Code>&a;</Code></Error>")));
  CHECK(parse_error(as_bytes("<Error><Code>&a;</Code></Error>"))->code == "&a;");
}

TEST_CASE("s3 xml: a listing with control characters that XML 1.0 does not have") {
  const auto page = parse_list(as_bytes(
      "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a&#x01;b</Key><Size>18446744073709551615</Size>"
      "<LastModified>2026-11-21T03:24:10.5Z</LastModified></Contents></ListBucketResult>"));
  REQUIRE(page);
  REQUIRE(page->objects.size() == 1);
  CHECK(page->objects[0].key ==
        "a\x01"
        "b");
  CHECK(page->objects[0].size == UINT64_MAX);
  CHECK(page->objects[0].modified == parse_time("2026-11-21T03:24:10.5Z"));
}

TEST_CASE("s3 xml: keys are decoded only where the answer says that they are encoded") {
  const std::string object =
      "<Contents><Key>a%2Bb+c</Key><Size>1</Size><LastModified>2026-11-21T03:24:10Z</LastModified></Contents>";
  const std::string rest = "<NextContinuationToken>x%2B+y</NextContinuationToken><IsTruncated>true</IsTruncated>";
  const auto raw = parse_list(as_bytes("<ListBucketResult>" + object + rest + "</ListBucketResult>"));
  const auto decoded = parse_list(
      as_bytes("<ListBucketResult><EncodingType>url</EncodingType>" + object + rest + "</ListBucketResult>"));
  REQUIRE(raw);
  REQUIRE(decoded);
  CHECK(raw->objects[0].key == "a%2Bb+c");
  CHECK(decoded->objects[0].key == "a+b c");
  CHECK(decoded->truncated);
  CHECK(decoded->next_token == "x%2B+y");
}

TEST_CASE("s3 xml: a listing with a part missing or wrong is none") {
  const std::string head = "<ListBucketResult><IsTruncated>false</IsTruncated>";
  const std::string time = "<LastModified>2026-11-21T03:24:10Z</LastModified>";
  for (const std::string& object :
       {"<Contents><Key>a</Key><Size>x</Size>" + time + "</Contents>", "<Contents><Key>a</Key>" + time + "</Contents>",
        "<Contents><Key></Key><Size>1</Size>" + time + "</Contents>", "<Contents><Size>1</Size>" + time + "</Contents>",
        "<Contents><Key>a</Key><Size>-1</Size>" + time + "</Contents>",
        std::string{"<Contents><Key>a</Key><Size>1</Size><LastModified>now</LastModified></Contents>"},
        std::string{"<Contents><Key>a</Key><Size>1</Size></Contents>"}}) {
    INFO(object);
    CHECK_FALSE(parse_list(as_bytes(head + object + "</ListBucketResult>")));
  }
  CHECK(parse_list(as_bytes(head + "</ListBucketResult>")));
  CHECK_FALSE(parse_list(as_bytes(head)));
  CHECK_FALSE(parse_list(as_bytes("<ListBucketResult><IsTruncated>perhaps</IsTruncated></ListBucketResult>")));
}

TEST_CASE("s3 xml: very deep nesting is survived") {
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<a>";
  CHECK_FALSE(parse_list(as_bytes(deep)));
  for (int i = 0; i < 200'000; ++i) deep += "</a>";
  CHECK_FALSE(parse_list(as_bytes(deep)));
}

TEST_CASE("s3 xml: deletion, both ways") {
  const std::vector<std::string> keys{"a/b", "c"};
  CHECK(delete_request(keys) ==
        "<?xml version=\"1.0\"?><Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>"
        "<Object><Key>a/b</Key></Object><Object><Key>c</Key></Object></Delete>");
  CHECK(parse_delete_result(as_bytes("<DeleteResult/>"))->empty());
  const auto errors = parse_delete_result(as_bytes(
      "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>C</Code></Error></DeleteResult>"));
  REQUIRE(errors->size() == 1);
  CHECK(errors->front().key == "b");
  CHECK(errors->front().code == "C");
  CHECK_FALSE(parse_delete_result(as_bytes("<html/>")));
}
