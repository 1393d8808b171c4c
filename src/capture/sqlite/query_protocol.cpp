#include "capture/sqlite/query_protocol.hpp"

#include "util/error.hpp"
#include "util/message_socket.hpp"

#include <bit>
#include <utility>

namespace cairn::sqlite {

namespace {

enum class Tag : std::uint8_t { null, integer, real, text, blob };

// Read parts are dropped once they are as many.
constexpr std::size_t k_read_bytes = 256 * 1024;
constexpr std::uint64_t k_longest_time = std::uint64_t{1} << 50;

[[noreturn]] void fail_nonsense() {
  throw Error(ErrorKind::failed, "unable to read an answer of the process that reads databases: it makes no sense");
}

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

// Of the alternatives of a reply.
enum class Kind : std::uint64_t { pages, rows, done, failed, last = failed };

void put_kind(MessageWriter& to, Kind kind) {
  to.number(static_cast<std::uint64_t>(kind));
}

// One value of a row, as RowEncoder wrote it.
class RowReader {
 public:
  explicit RowReader(ByteView bytes) noexcept : m_rest(bytes) {}
  bool at_end() const noexcept { return m_rest.empty(); }
  SqlValue value() {
    const Tag tag{take(1)[0]};
    switch (tag) {
      case Tag::null:
        return SqlNull{};
      case Tag::integer:
        return static_cast<std::int64_t>(number());
      case Tag::real:
        return std::bit_cast<double>(number());
      case Tag::text:
        return SqlText{bytes()};
      case Tag::blob:
        return SqlBlob{bytes()};
    }
    fail_nonsense();
  }

 private:
  ByteView take(std::uint64_t size) {
    if (size > m_rest.size()) fail_nonsense();
    const ByteView taken = m_rest.first(static_cast<std::size_t>(size));
    m_rest = m_rest.subspan(taken.size());
    return taken;
  }
  std::uint64_t number() { return get_u64(take(sizeof(std::uint64_t)).data()); }
  std::string bytes() { return std::string{as_text(take(number()))}; }

  ByteView m_rest;
};

}  // namespace

Bytes encode(const QueryRequest& request) {
  MessageWriter to;
  to.text(request.sql).number(static_cast<std::uint64_t>(request.time.count())).number(request.memory);
  to.number(request.databases.size());
  for (const auto& database : request.databases) to.text(database.schema).number(database.size);
  return to.bytes();
}

QueryRequest decode_query_request(ByteView bytes) {
  MessageReader from{bytes};
  QueryRequest request;
  request.sql = from.text();
  request.time = std::chrono::milliseconds{from.number(k_longest_time)};
  request.memory = from.number();
  const std::uint64_t count = from.number(k_most_databases);
  for (std::uint64_t i = 0; i < count; ++i) {
    QueryRequest::Database database;
    database.schema = from.text();
    database.size = from.number(INT64_MAX);
    request.databases.push_back(std::move(database));
  }
  return request;
}

Bytes encode(const PagesGiven& given) {
  return MessageWriter{}.number(given.length).bytes();
}

PagesGiven decode_pages_given(ByteView bytes) {
  return {MessageReader{bytes}.number(k_window_size)};
}

Bytes encode(const QueryReply& reply) {
  MessageWriter to;
  std::visit(Overloaded{[&](const PagesWanted& pages) {
                          put_kind(to, Kind::pages);
                          to.number(pages.database).number(pages.offset).number(pages.length);
                        },
                        [&](const RowBytes& rows) {
                          put_kind(to, Kind::rows);
                          to.text(as_text(rows.bytes));
                        },
                        [&](const QueryDone&) { put_kind(to, Kind::done); },
                        [&](const QueryFailed& failed) {
                          put_kind(to, Kind::failed);
                          to.number(static_cast<std::uint64_t>(failed.cause)).text(failed.message);
                        }},
             reply);
  return to.bytes();
}

QueryReply decode_query_reply(ByteView bytes) {
  MessageReader from{bytes};
  switch (Kind{from.number(static_cast<std::uint64_t>(Kind::last))}) {
    case Kind::pages: {
      PagesWanted pages;
      pages.database = from.number(k_most_databases);
      pages.offset = from.number(INT64_MAX);
      pages.length = from.number(k_window_size);
      return pages;
    }
    case Kind::rows: {
      const std::string rows = from.text();
      const ByteView view = as_bytes(rows);
      return RowBytes{Bytes(view.begin(), view.end())};
    }
    case Kind::done:
      return QueryDone{};
    case Kind::failed:
      break;
  }
  QueryFailed failed;
  failed.cause = QueryFailed::Cause{static_cast<int>(from.number(static_cast<int>(QueryFailed::Cause::other)))};
  failed.message = from.text();
  return failed;
}

RowEncoder& RowEncoder::null() {
  m_row.push_back(static_cast<std::uint8_t>(Tag::null));
  return *this;
}

RowEncoder& RowEncoder::integer(std::int64_t value) {
  m_row.push_back(static_cast<std::uint8_t>(Tag::integer));
  put_u64(m_row, static_cast<std::uint64_t>(value));
  return *this;
}

RowEncoder& RowEncoder::real(double value) {
  m_row.push_back(static_cast<std::uint8_t>(Tag::real));
  put_u64(m_row, std::bit_cast<std::uint64_t>(value));
  return *this;
}

RowEncoder& RowEncoder::text(std::string_view value) {
  m_row.push_back(static_cast<std::uint8_t>(Tag::text));
  put_u64(m_row, value.size());
  append(m_row, as_bytes(value));
  return *this;
}

RowEncoder& RowEncoder::blob(std::string_view value) {
  m_row.push_back(static_cast<std::uint8_t>(Tag::blob));
  put_u64(m_row, value.size());
  append(m_row, as_bytes(value));
  return *this;
}

void RowEncoder::finish(Bytes& out) {
  put_u64(out, m_row.size());
  append(out, m_row);
  m_row.clear();
}

void RowDecoder::add(ByteView bytes) {
  if (m_at >= k_read_bytes) {
    m_bytes.erase(m_bytes.begin(), m_bytes.begin() + static_cast<std::ptrdiff_t>(std::exchange(m_at, 0)));
  }
  append(m_bytes, bytes);
}

std::optional<SqlRow> RowDecoder::next() {
  const ByteView rest = ByteView{m_bytes}.subspan(m_at);
  if (rest.size() < sizeof(std::uint64_t)) return std::nullopt;
  const std::uint64_t size = get_u64(rest.data());
  if (size > m_longest) fail_nonsense();
  const ByteView row = rest.subspan(sizeof size);
  if (row.size() < size) return std::nullopt;
  SqlRow values;
  RowReader from{row.first(static_cast<std::size_t>(size))};
  while (!from.at_end()) values.push_back(from.value());
  m_at += sizeof size + static_cast<std::size_t>(size);
  return values;
}

}  // namespace cairn::sqlite
