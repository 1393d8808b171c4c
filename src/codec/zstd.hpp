// Zstandard (RFC 8878), one frame per call with its content size in the frame header. Contexts are kept per thread.
#pragma once

#include "util/bytes.hpp"

#include <cstdint>

namespace cairn {

inline constexpr int k_zstd_level = 3;

Bytes zstd_compress(ByteView raw, int level = k_zstd_level);

// Decodes exactly one frame that fills `stored` and whose content is exactly raw_size bytes. Anything else is
// Error(damaged); so is a window of more than max_window bytes, which would not be needed here, but by whoever decodes
// the frame as a stream. Allocates raw_size bytes, so the caller has checked that number against the format's limits.
Bytes zstd_decompress(ByteView stored, std::size_t raw_size, std::uint64_t max_window = UINT64_MAX);
void zstd_decompress_into(ByteView stored, ByteSpan raw, std::uint64_t max_window = UINT64_MAX);

// As above for a frame whose content size is only in its header: refused above limit, and where no frame of that stored
// size can hold so much, before anything is allocated. Its window is bounded by the limit, too.
Bytes zstd_decompress_bounded(ByteView stored, std::size_t limit);

// Bytes of the frame that `stored` begins with. Error(damaged) where it does not begin with a whole one.
std::size_t zstd_frame_length(ByteView stored);

}  // namespace cairn
