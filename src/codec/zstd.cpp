#include "codec/zstd.hpp"

#include "util/error.hpp"

#include <memory>

#include <fmt/format.h>
#include <zstd.h>

namespace cairn {

namespace {

struct ContextDeleter {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

ZSTD_CCtx* compression_context() {
  thread_local const std::unique_ptr<ZSTD_CCtx, ContextDeleter> context{ZSTD_createCCtx()};
  if (!context) throw Error(ErrorKind::failed, "unable to compress: out of memory");
  return context.get();
}

ZSTD_DCtx* decompression_context() {
  thread_local const std::unique_ptr<ZSTD_DCtx, ContextDeleter> context{ZSTD_createDCtx()};
  if (!context) throw Error(ErrorKind::failed, "unable to decompress: out of memory");
  return context.get();
}

// A block decodes to at most 128 KiB and takes at least 4 bytes (RFC 8878, 3.1.1.2).
constexpr unsigned long long k_max_ratio = 128 * 1024 / 4;

// RFC 8878, 3.1.1.1. The frame's header is whole. In a single segment the content is the window.
std::uint64_t window_of(ByteView stored, std::uint64_t content) {
  if (stored.size() < 6) return content;
  const auto descriptor = static_cast<unsigned>(stored[4]);
  if ((descriptor >> 5 & 1) != 0) return content;
  const auto window = static_cast<unsigned>(stored[5]);
  const std::uint64_t base = std::uint64_t{1} << (10 + (window >> 3));
  return base + base / 8 * (window & 7);
}

}  // namespace

Bytes zstd_compress(ByteView raw, int level) {
  Bytes out(ZSTD_compressBound(raw.size()));
  const std::size_t n = ZSTD_compressCCtx(compression_context(), out.data(), out.size(), raw.data(), raw.size(), level);
  if (ZSTD_isError(n) != 0) {
    throw Error(ErrorKind::failed, fmt::format("unable to compress: {}", ZSTD_getErrorName(n)));
  }
  out.resize(n);
  return out;
}

void zstd_decompress_into(ByteView stored, ByteSpan raw, std::uint64_t max_window) {
  const unsigned long long declared = ZSTD_getFrameContentSize(stored.data(), stored.size());
  if (declared != raw.size()) {
    throw Error(ErrorKind::damaged, "damaged zstd frame: not a frame of the expected size");
  }
  const std::size_t length = ZSTD_findFrameCompressedSize(stored.data(), stored.size());
  if (ZSTD_isError(length) != 0 || length != stored.size()) {
    throw Error(ErrorKind::damaged, "damaged zstd frame: not exactly one frame");
  }
  if (window_of(stored, declared) > max_window) {
    throw Error(ErrorKind::damaged, "damaged zstd frame: its window is beyond the limits");
  }
  const std::size_t n =
      ZSTD_decompressDCtx(decompression_context(), raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(n) != 0) {
    throw Error(ErrorKind::damaged, fmt::format("damaged zstd frame: {}", ZSTD_getErrorName(n)));
  }
  if (n != raw.size()) throw Error(ErrorKind::damaged, "damaged zstd frame: content is too short");
}

Bytes zstd_decompress(ByteView stored, std::size_t raw_size, std::uint64_t max_window) {
  Bytes raw(raw_size);
  zstd_decompress_into(stored, raw, max_window);
  return raw;
}

Bytes zstd_decompress_bounded(ByteView stored, std::size_t limit) {
  const unsigned long long declared = ZSTD_getFrameContentSize(stored.data(), stored.size());
  if (declared == ZSTD_CONTENTSIZE_ERROR || declared == ZSTD_CONTENTSIZE_UNKNOWN || declared > limit ||
      declared / k_max_ratio > stored.size()) {
    throw Error(ErrorKind::damaged, "damaged zstd frame: no content size, or one that is too large");
  }
  return zstd_decompress(stored, static_cast<std::size_t>(declared), limit);
}

std::size_t zstd_frame_length(ByteView stored) {
  const std::size_t length = ZSTD_findFrameCompressedSize(stored.data(), stored.size());
  if (ZSTD_isError(length) != 0) throw Error(ErrorKind::damaged, "damaged zstd frame: not a whole frame");
  return length;
}

}  // namespace cairn
