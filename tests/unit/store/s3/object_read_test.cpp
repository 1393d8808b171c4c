#include "store/s3/object_read.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::s3;

namespace {

HttpResponse answer(int status, std::string_view body, std::map<std::string, std::string, std::less<>> headers) {
  HttpResponse response;
  response.status = status;
  response.headers = std::move(headers);
  append(response.body, as_bytes(body));
  return response;
}

std::string header(const ObjectRead& read, std::string_view name) {
  for (const auto& [key, value] : read.headers()) {
    if (key == name) return value;
  }
  return {};
}

std::string text_of(ObjectRead& read) {
  const Bytes bytes = read.take();
  return std::string{as_text(bytes)};
}

}  // namespace

TEST_CASE("s3 object read: a whole object over three answers") {
  ObjectRead read{std::nullopt};
  CHECK(read.headers().empty());
  CHECK(read.keep(answer(200, "0123", {{"content-length", "10"}, {"etag", "\"e\""}})) == 4);
  CHECK(header(read, "range") == "bytes=4-");
  CHECK(header(read, "if-match") == "\"e\"");
  CHECK(read.keep(answer(206, "45", {{"content-length", "6"}, {"content-range", "bytes 4-9/10"}})) == 2);
  CHECK(read.reached() == 6);
  CHECK(header(read, "range") == "bytes=6-");
  CHECK_FALSE(read.finish(answer(206, "6789", {{"content-length", "4"}, {"content-range", "bytes 6-9/10"}})));
  CHECK(text_of(read) == "0123456789");
}

TEST_CASE("s3 object read: a range, which the end of the object cuts") {
  ObjectRead read{ByteRange{3, 100}};
  CHECK(header(read, "range") == "bytes=3-102");
  CHECK(read.keep(answer(206, "34", {{"content-range", "bytes 3-9/10"}, {"etag", "\"e\""}})) == 2);
  CHECK(header(read, "range") == "bytes=5-102");
  CHECK_FALSE(read.finish(answer(206, "56789", {{"content-length", "5"}, {"content-range", "bytes 5-9/10"}})));
  CHECK(text_of(read) == "3456789");
}

TEST_CASE("s3 object read: what is not the same object is not gone on with") {
  const auto begun = [] {
    ObjectRead read{ByteRange{0, 10}};
    REQUIRE(read.keep(answer(206, "0123", {{"content-range", "bytes 0-9/10"}, {"etag", "\"e\""}})) == 4);
    return read;
  };
  ObjectRead read = begun();
  CHECK(read.keep(answer(206, "x", {{"content-range", "bytes 4-10/11"}})) == 0);
  CHECK(read.keep(answer(206, "x", {{"content-range", "bytes 4-9/10"}, {"etag", "\"other\""}})) == 0);
  CHECK(read.keep(answer(206, "x", {{"content-range", "bytes 5-9/10"}})) == 0);
  CHECK(read.keep(answer(200, "x", {{"content-length", "10"}})) == 0);
  CHECK(read.keep(answer(500, "x", {{"content-length", "10"}})) == 0);
  CHECK(read.keep(answer(206, "x", {{"content-range", "bytes 4-9/10"}, {"content-encoding", "gzip"}})) == 0);
  CHECK(read.keep(answer(206, "4567890", {{"content-range", "bytes 4-9/10"}})) == 0);
  CHECK(read.reached() == 4);
  // The rest is short, or of something else: from the beginning, and told.
  const auto wrong = read.finish(answer(206, "4567", {{"content-length", "4"}, {"content-range", "bytes 4-7/10"}}));
  REQUIRE(wrong);
  CHECK(wrong->transient);
  CHECK(read.reached() == 0);
  // A server that begins at the beginning has given all of it.
  read = begun();
  CHECK_FALSE(read.finish(answer(200, "abcdefghij", {{"content-length", "10"}})));
  CHECK(text_of(read) == "abcdefghij");
}

TEST_CASE("s3 object read: nothing is kept of what does not tell its length, nor a weak tag believed") {
  ObjectRead read{std::nullopt};
  CHECK(read.keep(answer(200, "0123", {{"transfer-encoding", "chunked"}})) == 0);
  CHECK(read.keep(answer(200, "0123", {{"content-length", "10"}, {"etag", "W/\"e\""}})) == 4);
  CHECK(header(read, "if-match").empty());
}

TEST_CASE("s3 object read: of reads that broke off each is found again, once") {
  BrokenReads broken;
  ObjectRead read{ByteRange{0, 10}};
  REQUIRE(read.keep(answer(206, "0123", {{"content-range", "bytes 0-9/10"}})) == 4);
  broken.put("a", ByteRange{0, 10}, std::move(read));
  CHECK(broken.take("a", ByteRange{0, 11}).reached() == 0);
  CHECK(broken.take("a", std::nullopt).reached() == 0);
  CHECK(broken.take("b", ByteRange{0, 10}).reached() == 0);
  CHECK(broken.take("a", ByteRange{0, 10}).reached() == 4);
  CHECK(broken.take("a", ByteRange{0, 10}).reached() == 0);
}
