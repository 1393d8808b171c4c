#include "capture/sqlite/wal_hold.hpp"

#include "capture/sqlite/schema.hpp"

#include <array>

#include <fmt/format.h>

namespace cairn::sqlite {

namespace {

// Between two commits of the busiest writers there is a moment; waiting for it is not waiting for a lock.
constexpr int k_free_tries = 1000;

}  // namespace

WalHold::WalHold(std::unique_ptr<Connection> connection, const WalIndexHeader& index, std::uint32_t backfilled,
                 Time cut_point, std::chrono::steady_clock::time_point pinned_at)
    : m_connection(std::move(connection)),
      m_index(index),
      m_main_only(backfilled >= index.max_frame),
      m_page_size(index.page_size),
      m_page_count(index.page_count),
      m_cut_point(cut_point),
      m_pinned_at(pinned_at) {
  const SqliteFile file = m_connection->main_file();
  if (m_page_count == 0 || m_page_size == 0) {
    // Nothing was committed through this log: the main file speaks for itself.
    std::array<std::uint8_t, k_header_size> bytes;
    file.read(bytes, 0);
    const auto header = parse_header(bytes);
    if (!header) throw SqliteError("read", m_connection->path(), 0, "its header is damaged");
    m_page_size = header->page_size;
    if (m_page_count == 0) m_page_count = header->pages(file.size());
  }
  if (m_main_only) {
    // The checkpoint that copied the last frame gave the file its full length.
    if (file.size() / m_page_size < m_page_count) {
      throw SqliteError("read", m_connection->path(), 0, fmt::format("the file ends before page {}", m_page_count));
    }
  } else {
    m_overlay = read_overlay(m_connection->journal_file(), m_index, backfilled);
  }
  m_schema_digest = sqlite::schema_digest(*m_connection);
}

Released WalHold::release() {
  Released released{true, {}};
  if (!m_main_only) {
    // A restart of the log, which our lock forbids, writes a new header before anything else.
    std::array<std::uint8_t, k_wal_header_size> bytes;
    m_connection->journal_file().read(bytes, 0);
    const auto header = parse_wal_header(bytes);
    released.stood_still = header && header->salt == m_index.salt;
  }
  m_connection.reset();
  released.pinned = std::chrono::steady_clock::now() - m_pinned_at;
  return released;
}

std::unique_ptr<WalHold> hold_wal(std::unique_ptr<Connection>& connection, Patience& patience) {
  // The first transaction opens the log; only inside one is the mode the one that SQLite reads in.
  connection->begin_read();
  const bool raw = connection->uses_wal() && connection->maps_wal_index();
  connection->end_read();
  if (!raw) return nullptr;

  for (int tries = 1;; ++tries) {
    const auto before = connection->wal_index_header();
    const Time cut_point = std::chrono::system_clock::now();
    const auto pinned_at = std::chrono::steady_clock::now();
    connection->begin_read();
    const std::uint32_t backfilled = connection->backfilled();
    const auto after = connection->wal_index_header();
    if (before && after && *before == *after) {
      return std::unique_ptr<WalHold>{new WalHold{std::move(connection), *after, backfilled, cut_point, pinned_at}};
    }
    connection->end_read();
    if (tries > k_free_tries && !patience.wait(std::chrono::milliseconds{1})) {
      throw SourceError(ErrorKind::busy, fmt::format("unable to read database {}: its log never stood still",
                                                     quote(connection->path().native())));
    }
  }
}

}  // namespace cairn::sqlite
