#include "codec/chunker.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace cairn {

namespace {

// 256 fixed random words: splitmix64 (Steele, Lea, Flood 2014) from a fixed seed.
constexpr std::array<std::uint64_t, 256> gear_table() {
  std::array<std::uint64_t, 256> table{};
  std::uint64_t state = 0x436169726e474541;  // "CairnGEA"
  for (auto& word : table) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
  return table;
}
constexpr auto k_gear = gear_table();

// The top `bits` bits: those depend on the last 64 bytes, the low ones only on the last few.
constexpr std::uint64_t top_mask(int bits) noexcept {
  return ~std::uint64_t{0} << (64 - bits);
}

}  // namespace

std::size_t cdc_cut(ByteView data, const CdcParameters& p) noexcept {
  if (data.size() <= p.minimum) return data.size();
  const std::size_t end = std::min<std::size_t>(data.size(), p.maximum);
  const std::size_t middle = std::min<std::size_t>(end, p.normal);
  const int bits = std::countr_zero(p.normal);
  const std::uint64_t strict = top_mask(bits + 2);
  const std::uint64_t loose = top_mask(bits - 2);
  std::uint64_t hash = 0;
  std::size_t i = p.minimum;
  for (; i < middle; ++i) {
    hash = (hash << 1) + k_gear[data[i]];
    if ((hash & strict) == 0) return i + 1;
  }
  for (; i < end; ++i) {
    hash = (hash << 1) + k_gear[data[i]];
    if ((hash & loose) == 0) return i + 1;
  }
  return end;
}

std::vector<std::uint32_t> cdc_lengths(ByteView data, const CdcParameters& parameters) {
  std::vector<std::uint32_t> lengths;
  lengths.reserve(data.size() / parameters.normal + 1);
  while (!data.empty()) {
    const std::size_t n = cdc_cut(data, parameters);
    lengths.push_back(static_cast<std::uint32_t>(n));
    data = data.subspan(n);
  }
  return lengths;
}

std::vector<std::uint32_t> fixed_lengths(std::size_t size, std::uint32_t chunk_size) {
  std::vector<std::uint32_t> lengths(size / chunk_size, chunk_size);
  if (size % chunk_size != 0) lengths.push_back(static_cast<std::uint32_t>(size % chunk_size));
  return lengths;
}

}  // namespace cairn
