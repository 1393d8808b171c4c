// Ed25519 signatures in the text format of minisign (jedisct1.github.io/minisign), which its stock program verifies:
//
//   untrusted comment: ANY TEXT
//   base64("ED" KEY-ID[8] SIGNATURE[64])         signature of BLAKE2b-512(message); "Ed": of the message itself
//   trusted comment: TEXT
//   base64(GLOBAL-SIGNATURE[64])                 signature of SIGNATURE and TEXT
//
// A public key is base64("Ed" KEY-ID[8] POINT[32]), below an untrusted comment where it is a file. The secret key is
// kept as PKCS#8 PEM (RFC 8410): OpenSSL lacks the primitives of minisign's own secret key file. PKCS#8 has no place
// for a key id, so the id of such a key is the beginning of BLAKE2b-512(POINT); those that minisign made are random. An
// id only helps to pick a key: nothing is believed because of it.
//
// Values; thread-safe for const access. Errors never repeat the text that was given. All cryptography is OpenSSL's.
#pragma once

#include "util/secret.hpp"

#include <array>
#include <compare>
#include <string>
#include <string_view>

namespace cairn::minisign {

using KeyId = std::array<std::uint8_t, 8>;
using SignatureBytes = std::array<std::uint8_t, 64>;

// Of a trusted comment. The stock program reads lines of at most 8,191 bytes.
inline constexpr std::size_t k_comment_limit = 8000;

class PublicKey {
 public:
  // The base64 text ("RW...") alone, or a public key file. Throws Error(usage) that says what is wrong.
  static PublicKey parse(std::string_view text);

  // "RW...", 56 characters.
  std::string text() const;
  // The file that the stock program reads with -p.
  std::string file_text() const;
  // As the stock program shows it, and with its leading zeroes: 16 upper-case hexadecimal digits.
  std::string key_id() const;

  const KeyId& id() const noexcept { return m_id; }
  const std::array<std::uint8_t, 32>& point() const noexcept { return m_point; }

  // The same point under another id is another text, so another key.
  friend bool operator==(const PublicKey&, const PublicKey&) noexcept = default;
  friend std::strong_ordering operator<=>(const PublicKey&, const PublicKey&) noexcept = default;

 private:
  friend class SecretKey;
  PublicKey() = default;
  KeyId m_id{};
  std::array<std::uint8_t, 32> m_point{};
};

class SecretKey {
 public:
  static SecretKey generate();
  // One unencrypted Ed25519 key in PKCS#8 PEM and nothing beside it but white space. Throws Error(usage).
  static SecretKey parse_pem(std::string_view text);
  SecretBytes pem() const;

  const PublicKey& public_key() const noexcept { return m_public; }

  // The whole text of a .minisig file, prehashed. The trusted comment is one line of printable text of at most
  // k_comment_limit bytes (tabs are allowed; else Error(usage)).
  std::string sign(std::string_view message, std::string_view trusted_comment) const;

 private:
  explicit SecretKey(SecretBytes seed);
  SecretBytes m_seed;
  PublicKey m_public;
};

// The content of a .minisig text; nothing of it is to be believed before verify().
struct Signature {
  bool prehashed = true;
  KeyId id{};
  SignatureBytes signature{};
  std::string trusted_comment;  // no control characters; still for terminal_safe() where it is shown
  SignatureBytes global{};

  // Throws Error(damaged) where it is not one. CRLF line ends and a missing last one are accepted.
  static Signature parse(std::string_view text);
};

// Whether both signatures are this key's, of this message and of the trusted comment. False for another key's.
bool verify(const PublicKey& key, std::string_view message, const Signature& signature);
// Throws Error(damaged) where the text is no signature.
bool verify(const PublicKey& key, std::string_view message, std::string_view minisig_text);

}  // namespace cairn::minisign
