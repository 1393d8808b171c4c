// The zero-copy reader of a live database in WAL mode.
//
// Why it is one state: the header of the wal-index is the same before and after the read transaction began, so it is
// the header the transaction saw. SQLite then holds one of two locks. Where all frames were in the main file by then,
// it is read lock 0: no checkpoint writes the main file, and the log may be restarted by anyone, so it is not looked
// at. Else it is a read mark: the log is not restarted and a checkpoint copies no frame past the mark, so the main file
// changes only in pages that the frames not copied yet overlay. Like SQLite's own reader this one leaves out the frames
// that were copied when the transaction began (nBackfill, read under its lock): their pages are in the main file, and
// a log that readers kept from being reset may be far longer than what is new in it.
#include "capture/sqlite_image.hpp"
#include "capture/sqlite_schema.hpp"
#include "capture/sqlite_wal_overlay.hpp"
#include "util/interrupt.hpp"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

namespace cairn::sqlite {

namespace {

class WalImage : public PageImage {
 public:
  WalImage(std::unique_ptr<Connection> connection, std::shared_ptr<void> keep, const WalIndexHeader& index,
           std::uint32_t backfilled, Time cut_point, std::chrono::steady_clock::time_point pinned_at);

  std::uint32_t page_size() const override { return m_page_size; }
  std::uint64_t page_count() const override { return m_page_count; }
  void read(std::uint64_t first, ByteSpan out) override;
  bool release() override;
  const Report& report() const override { return m_report; }

 private:
  void read_main(std::uint64_t first, ByteSpan out);

  std::shared_ptr<void> m_keep;
  std::unique_ptr<Connection> m_connection;  // before m_keep goes
  WalIndexHeader m_index;
  bool m_main_only;
  std::uint32_t m_page_size = 0;
  std::uint64_t m_page_count = 0;
  std::vector<OverlayPage> m_overlay;
  std::size_t m_next = 0;  // first overlay page not read yet
  std::chrono::steady_clock::time_point m_pinned_at;
  bool m_stood_still = true;
  Report m_report;
};

WalImage::WalImage(std::unique_ptr<Connection> connection, std::shared_ptr<void> keep, const WalIndexHeader& index,
                   std::uint32_t backfilled, Time cut_point, std::chrono::steady_clock::time_point pinned_at)
    : m_keep(std::move(keep)),
      m_connection(std::move(connection)),
      m_index(index),
      m_main_only(backfilled >= index.max_frame),
      m_page_size(index.page_size),
      m_page_count(index.page_count),
      m_pinned_at(pinned_at) {
  m_report.mode = "wal";
  m_report.cut_point = cut_point;
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
  m_report.schema_digest = schema_digest(*m_connection);
}

void WalImage::read_main(std::uint64_t first, ByteSpan out) {
  // Behind its end the main file has the zeros that SQLite would see: pages that were allocated and never written.
  m_connection->main_file().read(out, first * m_page_size);
  const std::uint64_t lock = lock_page(m_page_size) - 1;
  if (lock >= first && lock - first < out.size() / m_page_size) {
    std::fill_n(out.data() + (lock - first) * m_page_size, m_page_size, std::uint8_t{0});
  }
}

void WalImage::read(std::uint64_t first, ByteSpan out) {
  const std::uint64_t end = first + out.size() / m_page_size;
  while (first < end) {
    while (m_next < m_overlay.size() && m_overlay[m_next].page <= first) ++m_next;
    const std::uint64_t overlaid = m_next < m_overlay.size() ? m_overlay[m_next].page - 1 : end;
    if (overlaid == first) {
      const std::uint64_t offset = frame_offset(m_overlay[m_next].frame, m_page_size) + k_frame_header_size;
      if (m_connection->journal_file().read(out.first(m_page_size), offset) == SqliteFile::Whole::no) {
        fail_log(m_connection->journal_file(), "it became shorter");
      }
      out = out.subspan(m_page_size);
      ++first;
      continue;
    }
    const std::size_t run = static_cast<std::size_t>(std::min(overlaid, end) - first) * m_page_size;
    read_main(first, out.first(run));
    out = out.subspan(run);
    first += run / m_page_size;
  }
}

bool WalImage::release() {
  if (!m_connection) return m_stood_still;
  if (!m_main_only) {
    // A restart of the log, which our lock forbids, writes a new header before anything else.
    std::array<std::uint8_t, k_wal_header_size> bytes;
    m_connection->journal_file().read(bytes, 0);
    const auto header = parse_wal_header(bytes);
    m_stood_still = header && header->salt == m_index.salt;
  }
  m_connection.reset();
  m_report.wal_pinned = std::chrono::steady_clock::now() - m_pinned_at;
  m_keep.reset();
  return m_stood_still;
}

}  // namespace

std::unique_ptr<PageImage> open_wal_image(std::unique_ptr<Connection>& connection, std::shared_ptr<void> keep,
                                          Deadline deadline) {
  // The first transaction opens the log; only inside one is the mode in the header true.
  connection->begin_read();
  std::array<std::uint8_t, k_header_size> bytes;
  connection->main_file().read(bytes, 0);
  const auto header = parse_header(bytes);
  const bool raw = header && header->read_version == 2 && connection->maps_wal_index();
  connection->end_read();
  if (!raw) return nullptr;

  while (true) {
    const auto before = connection->wal_index_header();
    const Time cut_point = std::chrono::system_clock::now();
    const auto pinned_at = std::chrono::steady_clock::now();
    connection->begin_read();
    const std::uint32_t backfilled = connection->backfilled();
    const auto after = connection->wal_index_header();
    if (before && after && *before == *after) {
      return std::make_unique<WalImage>(std::move(connection), std::move(keep), *after, backfilled, cut_point,
                                        pinned_at);
    }
    connection->end_read();
    if (std::chrono::steady_clock::now() > deadline) {
      throw SourceError(ErrorKind::busy, fmt::format("unable to read database {}: its log never stood still",
                                                     quote(connection->path().native())));
    }
    check_interrupted();
    std::this_thread::yield();
  }
}

}  // namespace cairn::sqlite
