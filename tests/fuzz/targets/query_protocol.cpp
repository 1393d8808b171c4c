// The answers of a child that runs a query, which may be anything where a database broke into it.
#include "capture/sqlite/query_protocol.hpp"

#include "target.hpp"

namespace {

using namespace cairn;
using fuzz::require;

constexpr std::uint64_t k_longest_row = 1 << 16;

void run(std::string_view input) {
  fuzz::accepted({ErrorKind::failed}, [&] {
    const Bytes again = sqlite::encode(sqlite::decode_query_reply(as_bytes(input)));
    require(sqlite::encode(sqlite::decode_query_reply(again)) == again, "what is understood has one form");
  });
  fuzz::accepted({ErrorKind::failed}, [&] {
    const sqlite::QueryRequest request = sqlite::decode_query_request(as_bytes(input));
    require(sqlite::decode_query_request(sqlite::encode(request)).sql == request.sql, "a request comes back");
  });
  fuzz::accepted({ErrorKind::failed}, [&] { sqlite::decode_pages_given(as_bytes(input)); });
  // Rows are the same wherever the bytes are cut.
  const auto rows_of = [&](std::size_t at_once) {
    std::vector<sqlite::SqlRow> rows;
    std::size_t values = 0;
    fuzz::accepted({ErrorKind::failed}, [&] {
      sqlite::RowDecoder decoder{k_longest_row};
      for (std::string_view rest = input; !rest.empty();) {
        const auto now = rest.substr(0, at_once);
        decoder.add(as_bytes(now));
        rest.remove_prefix(now.size());
        while (auto row = decoder.next()) {
          values += row->size();
          rows.push_back(*std::move(row));
        }
      }
    });
    require(values <= input.size(), "a value takes a byte at least");
    return rows.size();
  };
  require(rows_of(input.size() + 1) == rows_of(3), "as many rows, however they came");
}

std::vector<std::string> seeds() {
  const auto text = [](const Bytes& bytes) { return std::string{as_text(bytes)}; };
  sqlite::QueryRequest request;
  request.sql = "SELECT 1";
  request.databases = {{"main", 4096}, {"old", 0}};
  Bytes rows;
  sqlite::RowEncoder{}.text("a").text("b").finish(rows);
  sqlite::RowEncoder{}.integer(-1).null().real(0.5).text("x").blob(std::string(10, '\0')).finish(rows);
  return {
      text(sqlite::encode(request)),
      text(sqlite::encode(sqlite::QueryReply{sqlite::PagesWanted{1, 4096, 4096}})),
      text(sqlite::encode(sqlite::QueryReply{sqlite::RowBytes{rows}})),
      text(sqlite::encode(sqlite::QueryReply{sqlite::QueryDone{}})),
      text(sqlite::encode(sqlite::QueryReply{sqlite::QueryFailed{sqlite::QueryFailed::Cause::sql, "no such table"}})),
      text(rows)};
}

const fuzz::Registration k_registration{{"query_protocol", run, seeds}};

}  // namespace
