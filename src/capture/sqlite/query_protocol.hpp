// The messages between this program and the child that answers a query for it (query_child.hpp). Pure: messages to
// bytes and back. Decoders believe no number and throw Error(failed) on nonsense; whoever broke into the child may send
// anything.
#pragma once

#include "capture/sqlite/query_value.hpp"
#include "util/bytes.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cairn::sqlite {

// To the child, first of all. With it goes one descriptor: the window, memory of k_window_size bytes that both see.
struct QueryRequest {
  struct Database {
    std::string schema;  // how SQL calls it; the first one is main
    std::uint64_t size = 0;
  };
  std::string sql;
  std::vector<Database> databases;
  std::chrono::milliseconds time{0};  // after which the child gives up
  std::uint64_t memory = 0;           // that SQLite may take
};

// So many pages' bytes can be given at one time.
inline constexpr std::uint64_t k_window_size = 1U << 20;
// What fits into one message beside the rest of it.
inline constexpr std::size_t k_longest_sql = 48 * 1024;
inline constexpr std::size_t k_most_databases = 10;

// From the child: these bytes of a database are wanted, at most k_window_size.
struct PagesWanted {
  std::uint64_t database = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
// To the child: so many bytes from that offset on are in the window, as many as were wanted at least. 0: they cannot be
// had.
struct PagesGiven {
  std::uint64_t length = 0;
};

// From the child: the next bytes of the answer, a sequence of rows (RowDecoder); the first holds the columns' names.
struct RowBytes {
  Bytes bytes;
};
// From the child: that was the last row.
struct QueryDone {};
// From the child: there is no (further) answer.
struct QueryFailed {
  enum class Cause {
    sql,        // the statement, or what it came to
    forbidden,  // it would do more than read
    time,       // the time was over
    memory,     // it takes more than it may
    content,    // the database is none, or malformed
    pages,      // bytes of it could not be had
    other,
  };
  Cause cause = Cause::other;
  std::string message;  // any bytes
};

using QueryReply = std::variant<PagesWanted, RowBytes, QueryDone, QueryFailed>;

Bytes encode(const QueryRequest& request);
QueryRequest decode_query_request(ByteView bytes);
Bytes encode(const PagesGiven& given);
PagesGiven decode_pages_given(ByteView bytes);
Bytes encode(const QueryReply& reply);
QueryReply decode_query_reply(ByteView bytes);

// A row as the child sends it is the number of its bytes, then its values, one after the other.
class RowEncoder {
 public:
  RowEncoder& null();
  RowEncoder& integer(std::int64_t value);
  RowEncoder& real(double value);
  RowEncoder& text(std::string_view value);
  RowEncoder& blob(std::string_view value);
  std::size_t size() const noexcept { return m_row.size(); }
  // Appends the row to `out` and begins the next one.
  void finish(Bytes& out);

 private:
  Bytes m_row;
};

// Rows from the bytes as they come, cut anywhere.
class RowDecoder {
 public:
  // longest: bytes of a row; a longer one is Error(failed).
  explicit RowDecoder(std::uint64_t longest) noexcept : m_longest(longest) {}
  void add(ByteView bytes);
  // The next row that is complete.
  std::optional<SqlRow> next();
  // Whether part of a row is left.
  bool in_row() const noexcept { return m_at != m_bytes.size(); }

 private:
  std::uint64_t m_longest;
  Bytes m_bytes;
  std::size_t m_at = 0;  // read so far
};

}  // namespace cairn::sqlite
