#include "capture/sqlite/query_protocol.hpp"

#include "unit/support.hpp"

#include <random>

#include <doctest/doctest.h>

using namespace cairn;
using namespace cairn::sqlite;

TEST_CASE("query protocol: messages come back as they were") {
  const QueryRequest request = decode_query_request(encode(QueryRequest{
      .sql = "SELECT 1", .databases = {{"main", 4096}, {"x", 0}}, .time = std::chrono::milliseconds{7}, .memory = 99}));
  CHECK(request.sql == "SELECT 1");
  REQUIRE(request.databases.size() == 2);
  CHECK(request.databases[1].schema == "x");
  CHECK(request.databases[0].size == 4096);
  CHECK(request.time.count() == 7);
  CHECK(request.memory == 99);
  CHECK(decode_pages_given(encode(PagesGiven{5})).length == 5);
  const auto wanted = std::get<PagesWanted>(decode_query_reply(encode(QueryReply{PagesWanted{1, 2, 3}})));
  CHECK(wanted.database == 1);
  CHECK(wanted.offset == 2);
  CHECK(wanted.length == 3);
  CHECK(std::get<RowBytes>(decode_query_reply(encode(QueryReply{RowBytes{{1, 2}}}))).bytes == Bytes{1, 2});
  CHECK(std::holds_alternative<QueryDone>(decode_query_reply(encode(QueryReply{QueryDone{}}))));
  const auto failed =
      std::get<QueryFailed>(decode_query_reply(encode(QueryReply{QueryFailed{QueryFailed::Cause::time, "x"}})));
  CHECK(failed.cause == QueryFailed::Cause::time);
  CHECK(failed.message == "x");
}

TEST_CASE("query protocol: nonsense is an Error, and nothing else") {
  std::mt19937 random{3};
  for (int i = 0; i < 3000; ++i) {
    Bytes bytes(random() % 40, 0);
    for (auto& byte : bytes) byte = random() % 3 == 0 ? static_cast<std::uint8_t>(random()) : 0;
    test::failure_of([&] { decode_query_request(bytes); });
    test::failure_of([&] { decode_query_reply(bytes); });
    test::failure_of([&] { decode_pages_given(bytes); });
    test::failure_of([&] {
      RowDecoder rows{1000};
      rows.add(bytes);
      while (rows.next()) continue;
    });
  }
  Bytes long_row;
  put_u64(long_row, 1001);
  RowDecoder rows{1000};
  rows.add(long_row);
  CHECK(test::failure_of([&] { rows.next(); }) == ErrorKind::failed);
  CHECK(test::failure_of([] { decode_pages_given(encode(PagesGiven{k_window_size + 1})); }) == ErrorKind::failed);
}

TEST_CASE("query protocol: rows that are cut anywhere") {
  Bytes all;
  RowEncoder row;
  std::vector<SqlRow> expected;
  for (std::int64_t i = 0; i < 300; ++i) {
    row.integer(-i).text(std::string(static_cast<std::size_t>(i), 'x')).null().real(0.5).blob("b").finish(all);
    expected.push_back({-i, SqlText{std::string(static_cast<std::size_t>(i), 'x')}, SqlNull{}, 0.5, SqlBlob{"b"}});
  }
  std::mt19937 random{5};
  RowDecoder rows{10'000};
  std::vector<SqlRow> got;
  for (ByteView rest = all; !rest.empty();) {
    const std::size_t now = std::min<std::size_t>(rest.size(), 1 + random() % 700);
    rows.add(rest.first(now));
    rest = rest.subspan(now);
    while (auto one = rows.next()) got.push_back(*std::move(one));
  }
  CHECK(got == expected);
  CHECK(!rows.in_row());
}
