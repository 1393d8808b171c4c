// Zstandard (RFC 8878), one frame per call with its content size in the frame header. Contexts are kept per thread.
#pragma once

#include "util/bytes.hpp"

#include <cstdint>

namespace cairn {

inline constexpr int k_zstd_level = 3;

Bytes zstd_compress(ByteView raw, int level = k_zstd_level);

// Decodes exactly one frame that fills `stored` and whose content is exactly raw_size bytes. Anything else is
// Error(damaged). Allocates raw_size bytes, so the caller has checked that number against the format's limits.
Bytes zstd_decompress(ByteView stored, std::size_t raw_size);
void zstd_decompress_into(ByteView stored, ByteSpan raw);

// As above for a frame whose content size is only in its header: refused above limit, and where no frame of that stored
// size can hold so much, before anything is allocated.
Bytes zstd_decompress_bounded(ByteView stored, std::size_t limit);

// Bytes of the frame that `stored` begins with. Error(damaged) where it does not begin with a whole one.
std::size_t zstd_frame_length(ByteView stored);

}  // namespace cairn
