// Byte buffers and their text forms.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// An allocator that leaves new bytes unset: buffers are always filled right after they grow, and clearing a 16 MiB
// pack buffer first costs as much as filling it.
template <class T>
struct UninitAllocator : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = UninitAllocator<U>;
  };
  UninitAllocator() = default;
  template <class U>
  UninitAllocator(const UninitAllocator<U>&) noexcept {}
  template <class U>
  void construct(U* p) noexcept {
    ::new (static_cast<void*>(p)) U;
  }
  template <class U, class... A>
  void construct(U* p, A&&... args) {
    ::new (static_cast<void*>(p)) U(std::forward<A>(args)...);
  }
};

using Bytes = std::vector<std::uint8_t, UninitAllocator<std::uint8_t>>;
using ByteView = std::span<const std::uint8_t>;
using ByteSpan = std::span<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
// The bytes may not be part of what they are appended to.
void append(Bytes& to, ByteView bytes);
// Takes the last buffer out, for its memory; an empty one where there is none.
Bytes take_last(std::vector<Bytes>& buffers);

// Lower-case hexadecimal. from_hex takes lower case only (a name has one spelling) and an even number of digits.
std::string to_hex(ByteView bytes);
std::optional<Bytes> from_hex(std::string_view text);
bool is_hex(std::string_view text) noexcept;

// RFC 4648 base64 with padding. The decoder is strict: no white space, canonical trailing bits.
std::string to_base64(ByteView bytes);
std::optional<Bytes> from_base64(std::string_view text);

// Little-endian integers, as the binary parts of the format use them.
void put_u32(Bytes& to, std::uint32_t value);
void put_u64(Bytes& to, std::uint64_t value);
std::uint32_t get_u32(const std::uint8_t* from) noexcept;
std::uint64_t get_u64(const std::uint8_t* from) noexcept;

// n bytes from the operating system's generator (OpenSSL's CSPRNG). Throws Error if there is none.
Bytes random_bytes(std::size_t n);

}  // namespace cairn
