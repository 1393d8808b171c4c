#include "engine/snapshot/list_cut.hpp"

#include <cstdint>

namespace cairn {

namespace {

constexpr std::size_t k_min = 2 * 1024;
constexpr std::size_t k_max = 64 * 1024;
// Bytes behind k_min in which one end is to be expected: a power of two.
constexpr unsigned k_scale_bits = 11;

// FNV-1a (Fowler, Noll, Vo), folded: cheap, and lines are short.
std::uint32_t line_hash(std::string_view line) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : line) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

}  // namespace

bool ends_list_chunk(std::string_view line, std::size_t chunk_size) noexcept {
  if (chunk_size >= k_max) return true;
  if (chunk_size < k_min) return false;
  // A threshold of 2^32 at 2^k_scale_bits bytes; longer lines are above every hash.
  return line_hash(line) < std::uint64_t{line.size()} << (32 - k_scale_bits);
}

}  // namespace cairn
