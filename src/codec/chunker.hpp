// Where content is cut. Content-defined cutting after FastCDC (Xia et al., USENIX ATC 2016): gear hash, two masks
// around the normal size ("normalized chunking"), no cut before the minimum. Readers need none of this: chunk lengths
// are stored. Pure and thread-safe.
#pragma once

#include "util/bytes.hpp"

#include <cstdint>
#include <vector>

namespace cairn {

struct CdcParameters {
  std::uint32_t minimum;
  std::uint32_t normal;  // a power of two
  std::uint32_t maximum;
};

// Ordinary files: few chunks a file. Dump streams: small, because a row that changes should cost little.
inline constexpr CdcParameters k_cdc_files{8 * 1024, 32 * 1024, 128 * 1024};
inline constexpr CdcParameters k_cdc_stream{4 * 1024, 16 * 1024, 64 * 1024};

// Length of the first chunk of data, which holds at least maximum bytes or everything up to a forced cut.
std::size_t cdc_cut(ByteView data, const CdcParameters& parameters) noexcept;

// Lengths of all chunks of data; both ends are cuts.
std::vector<std::uint32_t> cdc_lengths(ByteView data, const CdcParameters& parameters);
std::vector<std::uint32_t> fixed_lengths(std::size_t size, std::uint32_t chunk_size);

}  // namespace cairn
