#include "repo/padding.hpp"

#include <algorithm>
#include <bit>

namespace cairn {

namespace {

constexpr std::uint32_t k_skippable_magic = 0x184D2A50;
constexpr std::size_t k_skippable_header = 8;

}  // namespace

std::uint64_t padme(std::uint64_t size) noexcept {
  if (size < 2) return size;
  const auto exponent = static_cast<unsigned>(std::bit_width(size)) - 1;
  const auto kept = static_cast<unsigned>(std::bit_width(exponent));
  const std::uint64_t mask = (std::uint64_t{1} << (exponent - std::min(kept, exponent))) - 1;
  return (size + mask) & ~mask;
}

std::uint64_t padding_for(std::uint64_t size) noexcept {
  const std::uint64_t least = padme(size) - size;
  return least == 0 || least >= k_skippable_header ? least : padme(size + k_skippable_header) - size;
}

Bytes padding_frame(std::uint64_t size) {
  Bytes out;
  if (size == 0) return out;
  put_u32(out, k_skippable_magic);
  put_u32(out, static_cast<std::uint32_t>(size - k_skippable_header));
  out.resize(size);
  std::fill(out.begin() + k_skippable_header, out.end(), std::uint8_t{0});
  return out;
}

bool is_padding(ByteView bytes) noexcept {
  if (bytes.empty()) return true;
  return bytes.size() >= k_skippable_header && get_u32(bytes.data()) == k_skippable_magic &&
         get_u32(bytes.data() + 4) == bytes.size() - k_skippable_header;
}

}  // namespace cairn
