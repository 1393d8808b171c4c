// Padding of sealed parts: their sizes tell less. Pure.
#pragma once

#include "util/bytes.hpp"

#include <cstdint>

namespace cairn {

// The size that a sealed part of `size` bytes is padded to, at most 12 % more (Padmé; Nikitin et al., "Reducing
// Metadata Leakage from Encrypted Files and Communication with PURBs", 2019, section 4).
std::uint64_t padme(std::uint64_t size) noexcept;

// How many bytes of skippable frames fill a data part or directory of `size` bytes up: 0, or 8 and more.
std::uint64_t padding_for(std::uint64_t size) noexcept;

// That many bytes of zstd skippable frame (RFC 8878, 3.1.2), which every decoder passes over: 0, or 8 and more.
Bytes padding_frame(std::uint64_t size);
// The whole of `bytes` is one such frame, or nothing.
bool is_padding(ByteView bytes) noexcept;

}  // namespace cairn
