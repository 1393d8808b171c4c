#include "capture/sqlite/query_process.hpp"

#include "capture/sqlite/reader_main.hpp"
#include "capture/sqlite/reader_process.hpp"
#include "util/error.hpp"
#include "util/file.hpp"
#include "util/interrupt.hpp"
#include "util/units.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <optional>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>

namespace cairn::sqlite {

namespace {

using namespace std::chrono_literals;
using Cause = QueryFailed::Cause;

// The child sees by itself that the time is over; one that does not within so much more is ended.
constexpr auto k_grace = 2s;
constexpr std::size_t k_longest_message = 1000;

ErrorKind kind_of(Cause cause) noexcept {
  switch (cause) {
    case Cause::sql:
    case Cause::forbidden:
      return ErrorKind::usage;
    case Cause::content:
      return ErrorKind::damaged;
    default:
      return ErrorKind::failed;
  }
}

// Memory that the child sees, too; its size stays what it is.
UniqueFd make_window() {
  UniqueFd window{::memfd_create("cairn-query", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!window) throw_errno("make", "shared memory", errno);
  if (::ftruncate(window.get(), static_cast<off_t>(k_window_size)) != 0) throw_errno("make", "shared memory", errno);
  ::fcntl(window.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  return window;
}

void fill(int window, ByteView bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::pwrite(window, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) throw_errno("write to", "shared memory", errno);
    done += static_cast<std::size_t>(put);
  }
}

class QueryRun {
 public:
  QueryRun(const Query& query, const QuerySink& sink)
      : m_query(query), m_sink(sink), m_deadline(Clock::now() + query.time), m_rows(query.memory) {
    for (const auto& database : query.databases) {
      m_shown += (m_shown.empty() ? "" : ", ") + database.shown;
    }
  }

  void run() {
    QueryRequest request{.sql = m_query.sql, .databases = {}, .time = m_query.time, .memory = m_query.memory};
    for (const auto& database : m_query.databases) request.databases.push_back({database.schema, database.size});
    m_child = start_as_nobody(k_query_name);
    m_child->send(encode(request), {m_window.get()}, m_shown);
    while (true) {
      check_interrupted();
      QueryReply reply = next();
      if (const auto* const wanted = std::get_if<PagesWanted>(&reply)) {
        give(*wanted);
      } else if (const auto* const rows = std::get_if<RowBytes>(&reply)) {
        take(rows->bytes);
      } else if (const auto* const failed = std::get_if<QueryFailed>(&reply)) {
        fail(*failed);
      } else {
        break;
      }
    }
    if (m_rows.in_row() || !m_columns) throw_nonsense();
  }

 private:
  using Clock = ReaderProcess::Clock;

  QueryReply next() {
    try {
      return decode_query_reply(m_child->receive_message(m_deadline + k_grace, m_shown).bytes);
    } catch (const ReaderGone&) {
      if (Clock::now() > m_deadline) fail({Cause::time, ""});
      throw;
    }
  }

  [[noreturn]] void throw_nonsense() const {
    throw Error(ErrorKind::failed,
                fmt::format("unable to query {}: the process that reads it talks nonsense", quote(m_shown)));
  }

  void give(const PagesWanted& wanted) {
    if (wanted.database >= m_query.databases.size() || wanted.length == 0) throw_nonsense();
    const QueriedDatabase& database = m_query.databases[wanted.database];
    if (wanted.offset > database.size || wanted.length > database.size - wanted.offset) throw_nonsense();
    std::uint64_t length = 0;
    try {
      const Bytes bytes = database.read(wanted.offset, wanted.length, k_window_size);
      length = std::min<std::uint64_t>(bytes.size(), k_window_size);
      fill(m_window.get(), ByteView{bytes}.first(length));
    } catch (const Error&) {
      // SQLite would say no more than that it could not read.
      m_child.reset();
      throw;
    }
    m_child->send(encode(PagesGiven{length}), {}, m_shown);
  }

  void take(ByteView bytes) {
    m_rows.add(bytes);
    while (auto row = m_rows.next()) {
      if (!m_columns) {
        std::vector<std::string> names;
        for (auto& value : *row) {
          auto* const name = std::get_if<SqlText>(&value);
          if (name == nullptr) throw_nonsense();
          names.push_back(std::move(name->bytes));
        }
        m_columns = names.size();
        if (names.empty()) throw_nonsense();
        m_sink.columns(names);
      } else {
        if (row->size() != *m_columns) throw_nonsense();
        m_sink.row(*row);
      }
    }
  }

  [[noreturn]] void fail(const QueryFailed& failed) const {
    const std::string text = terminal_safe(failed.message.substr(0, k_longest_message));
    const std::string unable = fmt::format("unable to query {}: ", quote(m_shown));
    switch (failed.cause) {
      case Cause::time:
        throw QueryError(failed.cause, unable, fmt::format("it takes more than {}", format_duration(m_query.time)),
                         "--timeout gives it more time");
      case Cause::memory:
        throw QueryError(failed.cause, unable, fmt::format("it takes more memory than it may ({})", text),
                         "--max-memory gives it more");
      case Cause::content:
        throw QueryError(failed.cause, unable,
                         fmt::format("{}; every byte is as it was captured, so it was so before", text));
      case Cause::forbidden:
        throw QueryError(failed.cause, "the statement is refused: ", text,
                         "a query is one SELECT, VALUES, EXPLAIN or PRAGMA that only reads");
      default:
        throw QueryError(failed.cause, unable, text);
    }
  }

  const Query& m_query;
  const QuerySink& m_sink;
  Clock::time_point m_deadline;
  std::string m_shown;
  UniqueFd m_window = make_window();
  std::unique_ptr<ReaderProcess> m_child;
  RowDecoder m_rows;
  std::optional<std::size_t> m_columns;
};

}  // namespace

QueryError::QueryError(Cause cause, const std::string& unable, std::string reason, std::string hint)
    : Error(kind_of(cause), unable + reason, std::move(hint)), m_cause(cause), m_reason(std::move(reason)) {}

void run_query(const Query& query, const QuerySink& sink) {
  if (query.databases.empty() || query.databases.size() > k_most_databases) {
    throw Error(ErrorKind::usage, fmt::format("a query takes 1 to {} databases", k_most_databases));
  }
  if (query.sql.size() > k_longest_sql) {
    throw Error(ErrorKind::usage, fmt::format("a statement is at most {} long", format_size(k_longest_sql)));
  }
  QueryRun{query, sink}.run();
}

}  // namespace cairn::sqlite
