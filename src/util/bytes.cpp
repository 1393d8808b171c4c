#include "util/bytes.hpp"

#include "util/error.hpp"

#include <array>
#include <cstring>

#include <openssl/rand.h>

namespace cairn {

namespace {
constexpr std::string_view k_hex = "0123456789abcdef";
constexpr std::string_view k_base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

constexpr std::array<std::int8_t, 256> base64_table() {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < k_base64.size(); ++i) {
    table[static_cast<unsigned char>(k_base64[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}
constexpr auto k_base64_values = base64_table();
template <class T>
void put(Bytes& to, T value) {
  std::array<std::uint8_t, sizeof value> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace

// Not inline: GCC 12 then takes constant sizes for buffers that are too small, and warns at -O3.
void append(Bytes& to, ByteView bytes) {
  if (bytes.empty()) return;
  // Not insert(): with an allocator of one's own it copies byte by byte.
  const std::size_t at = to.size();
  to.resize(at + bytes.size());
  std::memcpy(to.data() + at, bytes.data(), bytes.size());
}

std::string to_hex(ByteView bytes) {
  std::string out(bytes.size() * 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out[2 * i] = k_hex[bytes[i] >> 4];
    out[2 * i + 1] = k_hex[bytes[i] & 15];
  }
  return out;
}

Bytes take_last(std::vector<Bytes>& buffers) {
  if (buffers.empty()) return {};
  Bytes last = std::move(buffers.back());
  buffers.pop_back();
  return last;
}

bool is_hex(std::string_view text) noexcept {
  for (const char c : text) {
    if (hex_value(c) < 0) return false;
  }
  return !text.empty();
}

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes out(text.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return out;
}

std::string to_base64(ByteView bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16;
    if (have > 1) group |= static_cast<std::uint32_t>(bytes[i + 1]) << 8;
    if (have > 2) group |= bytes[i + 2];
    out += k_base64[group >> 18];
    out += k_base64[group >> 12 & 63];
    out += have > 1 ? k_base64[group >> 6 & 63] : '=';
    out += have > 2 ? k_base64[group & 63] : '=';
  }
  return out;
}

std::optional<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    std::size_t have = 4;
    if (last && text[i + 3] == '=') have = text[i + 2] == '=' ? 2 : 3;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      int value = 0;
      if (k < have) {
        value = k_base64_values[static_cast<unsigned char>(text[i + k])];
        if (value < 0) return std::nullopt;
      }
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    if ((have == 2 && (group & 0xffff) != 0) || (have == 3 && (group & 0xff) != 0)) return std::nullopt;
    out.push_back(static_cast<std::uint8_t>(group >> 16));
    if (have > 2) out.push_back(static_cast<std::uint8_t>(group >> 8 & 0xff));
    if (have > 3) out.push_back(static_cast<std::uint8_t>(group & 0xff));
  }
  return out;
}

void put_u32(Bytes& to, std::uint32_t value) {
  put(to, value);
}

void put_u64(Bytes& to, std::uint64_t value) {
  put(to, value);
}

std::uint32_t get_u32(const std::uint8_t* from) noexcept {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | from[i];
  return value;
}

std::uint64_t get_u64(const std::uint8_t* from) noexcept {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | from[i];
  return value;
}

Bytes random_bytes(std::size_t n) {
  Bytes out(n);
  if (RAND_bytes(out.data(), static_cast<int>(n)) != 1) {
    throw Error(ErrorKind::failed, "unable to get random bytes from the operating system");
  }
  return out;
}

}  // namespace cairn
