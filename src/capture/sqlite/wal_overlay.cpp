#include "capture/sqlite/wal_overlay.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace cairn::sqlite {

namespace {

constexpr std::size_t k_scan_bytes = 1 << 20;

WalHeader read_log_header(const SqliteFile& log, const WalIndexHeader& index) {
  std::array<std::uint8_t, k_wal_header_size> bytes;
  const bool whole = log.read(bytes, 0) == SqliteFile::Whole::yes;
  const auto header = parse_wal_header(bytes);
  if (!whole || !header) fail_log(log, "its header is damaged");
  if (header->salt != index.salt || header->page_size != index.page_size || header->order != index.order) {
    fail_log(log, "it does not belong to its index");
  }
  return *header;
}

// The running checksum after that frame.
Checksum checksum_at(const SqliteFile& log, const WalIndexHeader& index, const WalHeader& header, std::uint32_t frame) {
  if (frame == 0) return header.checksum;
  std::array<std::uint8_t, k_frame_header_size> bytes;
  const bool whole = log.read(bytes, frame_offset(frame, index.page_size)) == SqliteFile::Whole::yes;
  const FrameHeader head = parse_frame_header(bytes);
  if (!whole || head.salt != index.salt) fail_log(log, fmt::format("frame {} is damaged", frame));
  return head.checksum;
}

}  // namespace

[[noreturn]] void fail_log(const SqliteFile& log, const std::string& what) {
  throw SourceError(ErrorKind::failed, fmt::format("unable to read {}: {}", quote(log.path().native()), what));
}

std::vector<OverlayPage> read_overlay(const SqliteFile& log, const WalIndexHeader& index, std::uint32_t backfilled) {
  const WalHeader header = read_log_header(log, index);
  const std::size_t frame_size = k_frame_header_size + index.page_size;
  // Before anything is allocated for them.
  if (log.size() < frame_offset(index.max_frame, index.page_size) + frame_size) {
    fail_log(log, fmt::format("it ends before frame {}", index.max_frame));
  }
  const std::size_t frames_at_once = std::max<std::size_t>(1, k_scan_bytes / frame_size);
  Bytes buffer(frames_at_once * frame_size);
  std::vector<OverlayPage> overlay;
  overlay.reserve(index.max_frame - backfilled);
  Checksum checksum = checksum_at(log, index, header, backfilled);
  for (std::uint32_t frame = backfilled + 1; frame <= index.max_frame;) {
    const std::size_t frames = std::min<std::size_t>(frames_at_once, index.max_frame - frame + 1);
    const ByteSpan part = ByteSpan{buffer}.first(frames * frame_size);
    if (log.read(part, frame_offset(frame, index.page_size)) == SqliteFile::Whole::no) {
      fail_log(log, fmt::format("it ends before frame {}", index.max_frame));
    }
    for (std::size_t i = 0; i < frames; ++i, ++frame) {
      const ByteView bytes = part.subspan(i * frame_size, frame_size);
      const FrameHeader head = parse_frame_header(bytes.first<k_frame_header_size>());
      checksum.update(bytes.first(8), header.order);
      checksum.update(bytes.subspan(k_frame_header_size), header.order);
      if (head.salt != index.salt || head.checksum != checksum || head.page == 0) {
        fail_log(log, fmt::format("frame {} is damaged", frame));
      }
      // Pages that a later commit cut off are not part of the state.
      if (head.page <= index.page_count) overlay.push_back({head.page, frame});
    }
  }
  if (checksum != index.frame_checksum) fail_log(log, "its checksum differs from its index");

  std::sort(overlay.begin(), overlay.end(), [](const OverlayPage& a, const OverlayPage& b) {
    return a.page != b.page ? a.page < b.page : a.frame > b.frame;
  });
  const auto last = std::unique(overlay.begin(), overlay.end(),
                                [](const OverlayPage& a, const OverlayPage& b) { return a.page == b.page; });
  overlay.erase(last, overlay.end());
  return overlay;
}

}  // namespace cairn::sqlite
