#include "codec/bech32.hpp"

#include <array>

namespace cairn::bech32 {

namespace {

constexpr std::string_view k_characters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t k_checksum = 6;

constexpr char lowered(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
constexpr char raised(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

constexpr bool is_upper(std::string_view prefix) noexcept {
  for (const char c : prefix) {
    if (c >= 'A' && c <= 'Z') return true;
  }
  return false;
}

constexpr std::array<std::int8_t, 256> values(bool upper) noexcept {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < k_characters.size(); ++i) {
    const char c = upper ? raised(k_characters[i]) : k_characters[i];
    table[static_cast<unsigned char>(c)] = static_cast<std::int8_t>(i);
  }
  return table;
}
constexpr auto k_lower_values = values(false);
constexpr auto k_upper_values = values(true);

// The BCH code of BIP-173, one group of five bits at a time.
class Checksum {
 public:
  explicit Checksum(std::string_view prefix) noexcept {
    for (const char c : prefix) add(static_cast<std::uint32_t>(static_cast<unsigned char>(lowered(c))) >> 5);
    add(0);
    for (const char c : prefix) add(static_cast<std::uint32_t>(static_cast<unsigned char>(lowered(c))) & 31);
  }
  void add(std::uint32_t value) noexcept {
    constexpr std::array<std::uint32_t, 5> k_generator{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
    const std::uint32_t top = m_state >> 25;
    m_state = (m_state & 0x1ffffff) << 5 ^ value;
    for (std::size_t i = 0; i < k_generator.size(); ++i) {
      if ((top >> i & 1) != 0) m_state ^= k_generator[i];
    }
  }
  std::uint32_t state() const noexcept { return m_state; }

 private:
  std::uint32_t m_state = 1;
};

constexpr std::size_t groups(std::size_t data_size) noexcept {
  return (data_size * 8 + 4) / 5;
}

}  // namespace

std::size_t encoded_size(std::size_t prefix_size, std::size_t data_size) noexcept {
  return prefix_size + 1 + groups(data_size) + k_checksum;
}

void encode(std::string_view prefix, ByteView data, std::span<char> out) noexcept {
  const bool upper = is_upper(prefix);
  std::size_t at = 0;
  for (const char c : prefix) out[at++] = c;
  out[at++] = '1';
  Checksum checksum(prefix);
  const auto put = [&](std::uint32_t value) { out[at++] = upper ? raised(k_characters[value]) : k_characters[value]; };
  std::uint32_t bits = 0;
  unsigned have = 0;
  const auto put_group = [&](std::uint32_t value) {
    checksum.add(value);
    put(value);
  };
  for (const std::uint8_t byte : data) {
    bits = bits << 8 | byte;
    have += 8;
    while (have >= 5) {
      have -= 5;
      put_group(bits >> have & 31);
    }
    bits &= (1U << have) - 1;
  }
  if (have > 0) put_group(bits << (5 - have) & 31);
  for (std::size_t i = 0; i < k_checksum; ++i) checksum.add(0);
  const std::uint32_t sum = checksum.state() ^ 1;
  for (std::size_t i = 0; i < k_checksum; ++i) put(sum >> (5 * (k_checksum - 1 - i)) & 31);
}

std::optional<std::string_view> decode(std::string_view text, std::string_view prefix, ByteSpan out) noexcept {
  if (!text.starts_with(prefix) || text.substr(prefix.size(), 1) != "1") return "it does not begin as one does";
  if (text.size() < encoded_size(prefix.size(), out.size())) return "it is too short";
  if (text.size() > encoded_size(prefix.size(), out.size())) return "it is too long";
  const auto& table = is_upper(prefix) ? k_upper_values : k_lower_values;
  const std::string_view data = text.substr(prefix.size() + 1);
  Checksum checksum(prefix);
  std::uint32_t bits = 0;
  unsigned have = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const std::int8_t value = table[static_cast<unsigned char>(data[i])];
    if (value < 0) return "it has a character that none has";
    checksum.add(static_cast<std::uint32_t>(value));
    if (i >= data.size() - k_checksum) continue;
    bits = bits << 5 | static_cast<std::uint32_t>(value);
    have += 5;
    if (have >= 8) {
      have -= 8;
      out[at++] = static_cast<std::uint8_t>(bits >> have);
    }
    bits &= (1U << have) - 1;
  }
  if (checksum.state() != 1) return "its checksum is wrong (a character is mistyped)";
  if (bits != 0) return "its padding is not zero";
  return std::nullopt;
}

}  // namespace cairn::bech32
