// Sizes and durations as people write and read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

inline constexpr std::uint64_t k_kib = 1024;
inline constexpr std::uint64_t k_mib = 1024 * k_kib;
inline constexpr std::uint64_t k_gib = 1024 * k_mib;

// "1.5 GiB", "17 B": at most four significant characters.
std::string format_size(std::uint64_t bytes);
// "512", "64k", "16MiB", "1.5 GB": B, k/KiB, M, G, T are powers of 1024; kB, MB, GB, TB powers of 1000.
std::optional<std::uint64_t> parse_size(std::string_view text);
// "1.2 s", "3 min 20 s", "2 h 5 min", "4 d 3 h".
std::string format_duration(std::chrono::nanoseconds duration);
// "90s", "15m", "2h", "7d", "2w", "1y" (365 days), and sums as "1h30m".
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);
// "1 file", "2 files".
std::string counted(std::uint64_t n, std::string_view singular, std::string_view plural);

}  // namespace cairn
