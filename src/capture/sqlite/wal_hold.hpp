// A live database in WAL mode, held still while somebody reads it.
//
// Why it is one state: the header of the wal-index is the same before and after the read transaction began, so it is
// the header the transaction saw. SQLite then holds one of two locks. Where all frames were in the main file by then,
// it is read lock 0: no checkpoint writes the main file, and the log may be restarted by anyone, so it is not looked
// at. Else it is a read mark: the log is not restarted and a checkpoint copies no frame past the mark, so the main file
// changes only in pages that the frames not copied yet overlay. Like SQLite's own reader this one leaves out the frames
// that were copied when the transaction began (nBackfill, read under its lock): their pages are in the main file, and
// a log that readers kept from being reset may be far longer than what is new in it.
#pragma once

#include "capture/sqlite/connection.hpp"
#include "capture/sqlite/protocol.hpp"
#include "capture/sqlite/wal_overlay.hpp"
#include "util/time.hpp"

#include <chrono>
#include <memory>
#include <vector>

namespace cairn::sqlite {

// One thread. Destroying it lets go of the database.
class WalHold {
 public:
  // The state: size in pages, and which of them the log overlays, ascending by page. All others are as in the main
  // file, zeros behind its end.
  std::uint32_t page_size() const noexcept { return m_page_size; }
  std::uint64_t page_count() const noexcept { return m_page_count; }
  const std::vector<OverlayPage>& overlay() const noexcept { return m_overlay; }
  Time cut_point() const noexcept { return m_cut_point; }
  const std::string& schema_digest() const noexcept { return m_schema_digest; }

  // Lets go, and says for how long no checkpoint could reset the log, and whether it stood still.
  Released release();

 private:
  friend std::unique_ptr<WalHold> hold_wal(std::unique_ptr<Connection>& connection, Patience& patience);
  WalHold(std::unique_ptr<Connection> connection, const WalIndexHeader& index, std::uint32_t backfilled, Time cut_point,
          std::chrono::steady_clock::time_point pinned_at);

  std::unique_ptr<Connection> m_connection;
  WalIndexHeader m_index;
  bool m_main_only;
  std::uint32_t m_page_size = 0;
  std::uint64_t m_page_count = 0;
  std::vector<OverlayPage> m_overlay;
  Time m_cut_point;
  std::chrono::steady_clock::time_point m_pinned_at;
  std::string m_schema_digest;
};

// Null where that does not apply: SQLite reads no log, or the wal-index is not this process's to write. connection is
// without a transaction, and taken only where it does apply. Throws SourceError: busy where the log never stands still.
std::unique_ptr<WalHold> hold_wal(std::unique_ptr<Connection>& connection, Patience& patience);

}  // namespace cairn::sqlite
