// The few primitives that age is made of, as OpenSSL 3 has them (EVP), in the shapes that the format uses. Everything
// throws Error(failed) where OpenSSL itself fails. For the files of this folder.
#pragma once

#include "util/secret.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

// OpenSSL's EVP_PKEY and EVP_CIPHER_CTX.
struct evp_pkey_st;
struct evp_cipher_ctx_st;

namespace cairn::age {

inline constexpr std::size_t k_key_bytes = 32;  // of X25519, ChaCha20-Poly1305 and everything HKDF derives here
inline constexpr std::size_t k_aead_tag_bytes = 16;
using Point = std::array<std::uint8_t, k_key_bytes>;
using Nonce = std::array<std::uint8_t, 12>;

// HKDF-SHA-256 (RFC 5869), 32 bytes.
SecretBytes hkdf(const SecretBytes& key, ByteView salt, std::string_view info);

// scrypt (RFC 7914) with N = 2^log_n, r = 8, p = 1: 32 bytes. Takes 2^(log_n + 10) bytes of memory; log_n is 1 to 30.
SecretBytes scrypt(std::string_view passphrase, ByteView salt, unsigned log_n);

// X25519 (RFC 7748). Thread-safe for const access.
class X25519Key {
 public:
  explicit X25519Key(const SecretBytes& scalar);
  const Point& public_point() const noexcept { return m_public; }
  // Nothing where the point is of low order, so that the result would be all zero.
  std::optional<SecretBytes> shared_with(const Point& point) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const noexcept;
  };
  std::unique_ptr<evp_pkey_st, Free> m_key;
  Point m_public{};
};

// ChaCha20-Poly1305 (RFC 8439) under one key. Not thread-safe.
class Aead {
 public:
  enum class Direction { seal, open };
  Aead(const SecretBytes& key, Direction direction);

  // out has plain.size() + 16 places. A nonce is used once with a key: the caller's duty.
  void seal(const Nonce& nonce, ByteView plain, ByteSpan out);
  // out has sealed.size() - 16 places and is zeroed where the tag is wrong.
  [[nodiscard]] bool open(const Nonce& nonce, ByteView sealed, ByteSpan out);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_cipher_ctx_st, Free> m_context;
};

}  // namespace cairn::age
