// SHA-256 (FIPS 180-4), the only digest of the format, as a type of its own.
#pragma once

#include "util/bytes.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cairn {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  std::string hex() const { return to_hex(bytes); }
  // The first 16 hexadecimal digits, as object names and extents carry them.
  std::string short_hex() const { return to_hex(ByteView{bytes}.first(8)); }
  // 64 lower-case hexadecimal digits.
  static std::optional<Digest> parse(std::string_view hex);
};

struct DigestHash {
  std::size_t operator()(const Digest& d) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, d.bytes.data(), sizeof value);
    return value;
  }
};

// One-shot; uses a context kept per thread (the per-call algorithm fetch costs more than a 4 KiB hash).
Digest sha256(ByteView bytes);
Digest sha256(std::string_view text);

// Incremental. Not thread-safe; finish() leaves it ready for the next message.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(ByteView bytes);
  Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> m_context;
};

// MD5 (RFC 1321), only as the transport checksum that S3's Content-MD5 asks for. 16 bytes.
Bytes md5(ByteView bytes);
class Md5 {
 public:
  Md5();
  ~Md5();
  Md5(const Md5&) = delete;
  Md5& operator=(const Md5&) = delete;
  void update(ByteView bytes);
  Bytes finish();

 private:
  struct Context;
  std::unique_ptr<Context> m_context;
};

// HMAC-SHA-256 (RFC 2104).
Digest hmac_sha256(ByteView key, ByteView message);

}  // namespace cairn
