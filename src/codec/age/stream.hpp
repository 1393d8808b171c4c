// The payload of an age file: STREAM over ChaCha20-Poly1305 in segments of 64 KiB, each opened by itself.
#pragma once

#include "codec/age/primitives.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace cairn::age {

inline constexpr std::size_t k_segment_bytes = 65536;  // plaintext of a full segment
inline constexpr std::size_t k_tag_bytes = 16;
inline constexpr std::size_t k_payload_nonce_bytes = 16;
inline constexpr std::size_t k_sealed_segment_bytes = k_segment_bytes + k_tag_bytes;

// Bytes of the segments of so much plaintext, without the preamble; and the reverse, which throws Damage(payload) for a
// length that no payload has. The last segment is empty only where all is.
std::uint64_t sealed_payload_bytes(std::uint64_t plain);
std::uint64_t plain_bytes(std::uint64_t sealed_payload);

// Seals one payload. Not thread-safe.
class Sealer {
 public:
  explicit Sealer(const SecretBytes& payload_key);
  Sealer(Sealer&&) noexcept = default;
  Sealer& operator=(Sealer&&) = delete;
  ~Sealer();

  // Appends the segments that are full and known not to be the last.
  void append(std::string_view plain, std::string& out);
  // Appends the last segment. Exactly once: nothing may be appended after it (std::logic_error).
  void finish(std::string& out);

 private:
  void seal(std::string_view plain, bool last, std::string& out);

  Aead m_aead;
  Bytes m_pending;  // at most one full segment
  std::uint64_t m_next = 0;
  bool m_finished = false;
};

// Opens one payload, in any order. Thread-safe for const access.
class Opener {
 public:
  explicit Opener(SecretBytes payload_key) : m_key(std::move(payload_key)) {}

  // One sealed segment into plain, which has its size less the tag (else std::logic_error). `last` is what its place in
  // the payload says. Throws Damage(payload) and leaves zeroes in plain.
  void segment(std::uint64_t index, bool last, std::string_view sealed, ByteSpan plain) const;
  // A whole payload into plain, which has plain_bytes() of its size.
  void all(std::string_view sealed, ByteSpan plain) const;

 private:
  SecretBytes m_key;
};

}  // namespace cairn::age
