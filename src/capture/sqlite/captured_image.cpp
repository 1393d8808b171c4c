#include "capture/sqlite/captured_image.hpp"

#include "capture/sqlite/companions.hpp"
#include "capture/sqlite/format.hpp"
#include "capture/sqlite/readers.hpp"
#include "util/beneath.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <unistd.h>

#include <fmt/format.h>
#include <sys/stat.h>

namespace cairn::sqlite {

CapturedImage::CapturedImage(const Opened& opened, std::vector<UniqueFd> descriptors, FileId database,
                             std::string shown, std::unique_ptr<DatabaseHold> hold)
    : m_shown(std::move(shown)), m_hold(std::move(hold)) {
  m_report.mode = opened.mode;
  m_report.cut_point = opened.cut_point;
  m_report.commits_blocked = opened.commits_blocked;
  m_report.wal_pinned = opened.pinned;
  m_report.schema_digest = opened.schema_digest;
  if (opened.kind == Opened::Kind::empty) return;
  if (descriptors.empty()) fail("no descriptor of it came from the process that reads it");
  m_main = std::move(descriptors.front());
  struct stat status {};
  if (::fstat(m_main.get(), &status) != 0) fail(errno_text(errno));
  if (!S_ISREG(status.st_mode)) fail("it is no regular file");
  m_main_size = static_cast<std::uint64_t>(status.st_size);
  m_sparse = static_cast<std::uint64_t>(status.st_blocks) * 512 < m_main_size;
  if (opened.kind == Opened::Kind::staged) {
    take_copy(opened);
    return;
  }
  m_live = true;
  // The file that the child gives must be the one that was chosen here: it belongs to somebody else.
  if (id_of(status) != database) fail("another file came from the process that reads it");
  m_page_size = opened.page_size;
  m_page_count = opened.page_count;
  if (m_page_size < 512 || !std::has_single_bit(m_page_size)) fail("its page size is impossible");
  if (opened.overlaid == 0) return;
  if (descriptors.size() != 3) fail("no descriptor of its log came from the process that reads it");
  m_log = std::move(descriptors[1]);
  struct stat log {};
  if (::fstat(m_log.get(), &log) != 0 || !S_ISREG(log.st_mode) || log.st_dev != status.st_dev) {
    fail("its log is no regular file beside it");
  }
  take_overlay(opened, descriptors[2]);
}

void CapturedImage::take_overlay(const Opened& opened, const UniqueFd& list) {
  struct stat status {};
  if (::fstat(list.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      static_cast<std::uint64_t>(status.st_size) != opened.overlaid * sizeof(OverlayPage)) {
    fail("the list of pages in its log is cut short");
  }
  m_overlay.resize(static_cast<std::size_t>(opened.overlaid));
  const ByteSpan bytes{reinterpret_cast<std::uint8_t*>(m_overlay.data()), m_overlay.size() * sizeof(OverlayPage)};
  if (read_for_capture(list.get(), bytes, 0, m_shown) != bytes.size())
    fail("the list of pages in its log is cut short");
  std::uint32_t last = 0;
  for (const OverlayPage& item : m_overlay) {
    if (item.page <= last || item.page > m_page_count || item.frame == 0) {
      fail("the list of pages in its log makes no sense");
    }
    last = item.page;
  }
}

void CapturedImage::take_copy(const Opened& opened) {
  if (opened.first_page_begin.size() > k_header_size) fail("its header is damaged");
  m_first_page_begin = opened.first_page_begin;
  if (m_main_size == 0) return;  // rolled back to nothing
  std::array<std::uint8_t, k_header_size> bytes{};
  read_for_capture(m_main.get(), bytes, 0, m_shown);
  std::copy(m_first_page_begin.begin(), m_first_page_begin.end(), bytes.begin());
  const auto header = parse_header(bytes);
  if (!header) fail("its header is damaged");
  m_page_size = header->page_size;
  m_page_count = header->pages(m_main_size);
  if (m_main_size / m_page_size < m_page_count) fail(fmt::format("the file ends before page {}", m_page_count));
}

void CapturedImage::fail(const std::string& what) const {
  throw DatabaseError(DatabaseError::Cause::content, ErrorKind::failed,
                      fmt::format("unable to read database {}: {}", quote(m_shown), what), "");
}

void CapturedImage::read_main(std::uint64_t first, ByteSpan out) {
  const std::size_t got = read_for_capture(m_main.get(), out, first * m_page_size, m_shown);
  if (!m_live) {
    if (got != out.size()) fail("the copy became shorter");
    return;
  }
  // Behind its end the main file has the zeros that SQLite would see: pages that were allocated and never written.
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(got), out.end(), std::uint8_t{0});
  const std::uint64_t lock = lock_page(m_page_size) - 1;
  if (lock >= first && lock - first < out.size() / m_page_size) {
    std::fill_n(out.data() + (lock - first) * m_page_size, m_page_size, std::uint8_t{0});
  }
}

void CapturedImage::read(std::uint64_t first, ByteSpan out) {
  const bool begin = first == 0;
  const ByteSpan whole = out;
  const std::uint64_t end = first + out.size() / m_page_size;
  while (first < end) {
    while (m_next < m_overlay.size() && m_overlay[m_next].page <= first) ++m_next;
    const std::uint64_t overlaid = m_next < m_overlay.size() ? m_overlay[m_next].page - 1 : end;
    if (overlaid == first) {
      const std::uint64_t offset = frame_offset(m_overlay[m_next].frame, m_page_size) + k_frame_header_size;
      if (read_for_capture(m_log.get(), out.first(m_page_size), offset, m_shown + k_log) != m_page_size) {
        fail("its log became shorter");
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
  if (begin) std::copy(m_first_page_begin.begin(), m_first_page_begin.end(), whole.begin());
}

PageImage::Hole CapturedImage::next_hole(std::uint64_t first) {
  const Hole none{m_page_count, m_page_count};
  // Behind the end of a live file there is nothing on the disk, either.
  const std::uint64_t stored = std::min(m_page_count, (m_main_size + m_page_size - 1) / m_page_size);
  std::uint64_t at = first;
  std::size_t next = m_next;
  while (at < m_page_count) {
    Hole hole{m_page_count, m_page_count};
    if (at >= stored) {
      hole.begin = at;
    } else if (m_sparse) {
      const off_t begin = ::lseek(m_main.get(), static_cast<off_t>(at * m_page_size), SEEK_HOLE);
      if (begin < 0) return none;
      hole.begin = (static_cast<std::uint64_t>(begin) + m_page_size - 1) / m_page_size;
      if (hole.begin < stored) {
        const off_t data = ::lseek(m_main.get(), begin, SEEK_DATA);
        if (data >= 0) hole.end = static_cast<std::uint64_t>(data) / m_page_size;
      }
    } else {
      hole.begin = stored;
    }
    // The log may have what the main file has not.
    while (next < m_overlay.size() && m_overlay[next].page <= hole.begin) ++next;
    if (next < m_overlay.size() && m_overlay[next].page - 1 < hole.end) hole.end = m_overlay[next].page - 1;
    if (hole.begin < hole.end) return hole;
    at = std::max(hole.end, hole.begin) + 1;
  }
  return none;
}

bool CapturedImage::release() {
  if (!m_hold) return m_stood_still;
  const std::unique_ptr<DatabaseHold> hold = std::move(m_hold);
  const Released released = hold->release();
  m_report.wal_pinned = released.pinned;
  m_stood_still = released.stood_still;
  return m_stood_still;
}

}  // namespace cairn::sqlite
